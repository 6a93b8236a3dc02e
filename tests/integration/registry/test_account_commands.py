"""`tack registry user|org|team|robot|token|grant …` on a registry's folder, as a person at its machine types them."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hardtack.cli.main import main
from support.accounts import administer, basic


class Said(NamedTuple):
    """What a command ended with and said."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> list[str]:
        return self.out.split()


Tack = Callable[..., Said]


@pytest.fixture
def tack(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tack:
    """`tack registry WORDS --root …`, with something on standard input."""

    def run(*words: str, given: str = "") -> Said:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
        code = main(["registry", *words, "--root", str(tmp_path / "root")])
        return Said(code, *capsys.readouterr())

    return run


@pytest.fixture
def users(tack: Tack) -> Tack:
    """Three users, ada an admin."""
    assert tack("user", "create", "ada", "--admin", "--password-stdin", given="correct horse\n").out == "ada\n"
    for name in ("bob", "cyd"):
        assert tack("user", "create", name, "--no-password").code == 0
    return tack


def identify(root: Path, name: str, secret: str) -> Any:
    return administer(root, lambda accounts: accounts.gate.identify(basic(name, secret), "10.0.0.1"))


def test_users_come_change_and_go(users: Tack, tmp_path: Path) -> None:
    assert identify(tmp_path / "root", "ada", "correct horse").admin
    assert users("user", "ls", "-q").words == ["ada", "bob", "cyd"]
    rows = [json.loads(line) for line in users("user", "ls", "--format", "json").out.splitlines()]
    assert [(row["Name"], row["Admin"], row["State"]) for row in rows] == [
        *(("ada", "yes", "active"), ("bob", "", "active"), ("cyd", "", "active"))
    ]
    generated = users("user", "passwd", "bob", "--generate").words[0]
    assert identify(tmp_path / "root", "bob", generated).name == "bob"
    assert users("user", "edit", "bob", "--full-name", "Bob B.", "--email", "bob@example.org").code == 0
    (shown,) = [json.loads(line) for line in users("user", "show", "bob").out.splitlines()]
    assert (shown["FullName"], shown["Email"], shown["HasPassword"]) == ("Bob B.", "bob@example.org", True)
    assert users("user", "disable", "bob", "cyd").words == ["bob", "cyd"]
    assert "disabled" in users("user", "ls").out
    assert users("user", "enable", "bob").words == ["bob"]
    assert users("user", "passwd", "bob", "--one-time", "--generate").code == 0
    assert "one-time password" in users("user", "ls").out
    assert users("user", "rm", "bob", "nobody", "cyd") == (1, "bob\ncyd\n", "tack: no user is named nobody\n")
    assert users("user", "ls", "-q").words == ["ada"]
    refused = users("user", "rm", "ada")
    assert refused.code == 1
    assert "last admin" in refused.err


def test_a_registry_is_begun_only_where_the_command_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARDTACK_ROOT", str(tmp_path / "of-tack"))
    (tmp_path / "without.toml").write_text("[server]\nworkers = 1\n")
    (tmp_path / "with.toml").write_text("[data]\nroot = 'here'\n")
    create = ["registry", "user", "create", "ada", "--no-password"]
    for words in (create, [*create, "--config", str(tmp_path / "without.toml")]):
        assert main(words) == 1
        assert "[data] root" in capsys.readouterr().err
        assert not (tmp_path / "of-tack" / "registry").exists()
    assert main([*create, "--config", str(tmp_path / "with.toml")]) == 0
    assert (tmp_path / "here").exists()


def test_the_first_user_is_told_what_that_means(tack: Tack) -> None:
    assert "asks who calls. Nobody administers it yet" in tack("user", "create", "ada", "--no-password").err
    assert tack("user", "create", "bob", "--no-password").err == ""


@pytest.mark.parametrize(
    ("words", "given", "why"),
    [
        (["create", "ada", "--no-password"], "", "taken by a user"),
        (["create", "Ada", "--no-password"], "", "lower-case"),
        (["create", "eve", "--password-stdin"], "short", "8 to 256 characters"),
        (["create", "eve", "--password-stdin"], "", "no password on stdin"),
        (["create", "eve"], "", "without a terminal"),
        (["create", "eve", "--generate", "--password-stdin"], "x", "mutually exclusive"),
        (["passwd", "nobody", "--generate"], "", "no user is named nobody"),
        (["show", "nobody"], "", "no account is named nobody"),
        (["edit", "ada", "--subject", "42"], "", "no OpenID Connect provider"),
        (["edit", "ada", "--email", "nonsense"], "", "no e-mail address"),
        (["create"], "", "requires 1 argument"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(users: Tack, words: list[str], given: str, why: str) -> None:
    refused = users("user", *words, given=given)
    assert refused.code == 1
    assert why in refused.err
    assert refused.err.startswith("tack: ")
    assert refused.out == ""


def test_organisations_teams_and_grants(users: Tack, tmp_path: Path) -> None:
    assert users("org", "create", "acme", "--owner", "ada").words == ["acme"]
    assert "needs an owner" in users("org", "create", "other").err
    assert users("org", "add-member", "acme", "bob", "cyd").words == ["bob", "cyd"]
    assert users("team", "create", "acme/dev").code == 0
    assert users("team", "add-member", "acme/dev", "bob").words == ["bob"]
    grant = users("grant", "add", "acme/dev", "acme/**", "write").words[0]
    assert users("grant", "add", "cyd", "library/*", "pull,push,tag-create").code == 0
    (shown,) = [json.loads(line) for line in users("org", "show", "acme").out.splitlines()]
    assert shown["Members"] == {"ada": "owner", "bob": "member", "cyd": "member"}
    assert shown["Teams"] == {"dev": {"Members": ["bob"], "Grants": {"acme/**": "write"}}}
    rows = [json.loads(line) for line in users("grant", "ls", "--format", "json").out.splitlines()]
    assert [(row["Holder"], row["Pattern"], row["Rights"]) for row in rows] == [
        ("acme/dev", "acme/**", "write"),
        ("cyd", "library/*", "pull,push,tag-create"),
    ]
    assert users("grant", "rm", grant).words == [grant]
    assert users("team", "remove-member", "acme/dev", "bob").code == 0
    assert users("org", "remove-member", "acme", "bob").code == 0
    for words, why in (
        (["grant", "add", "bob", "x**", "read"], "no pattern"),
        (["grant", "add", "bob", "x/**", "everything"], "no right"),
        (["grant", "rm", "one"], "no id"),
        (["team", "create", "acme"], "names no team"),
        (["org", "remove-member", "acme", "ada"], "no owner"),
    ):
        refused = users(*words)
        assert refused.code == 1
        assert why in refused.err
    assert users("team", "rm", "acme/dev").code == 0
    assert users("org", "rm", "acme").code == 0
    assert users("org", "ls", "-q").words == []


def test_robots_and_tokens_are_shown_once(users: Tack, tmp_path: Path) -> None:
    secret = users("robot", "create", "bob+ci", "--grant", "bob/**=write", "--expires", "30").words[0]
    assert identify(tmp_path / "root", "bob+ci", secret).name == "bob+ci"
    fresh = users("robot", "rotate", "bob+ci").words[0]
    assert identify(tmp_path / "root", "bob+ci", fresh).name == "bob+ci"
    assert "bob/**=write" in users("robot", "ls", "bob").words
    assert users("robot", "ls", "-q").words == ["bob+ci"]
    text = users("token", "create", "bob", "--name", "laptop", "--scope", "bob/**=read").words[0]
    assert identify(tmp_path / "root", "bob", text).scope is not None
    listed = users("token", "ls", "bob").out
    assert "laptop" in listed
    assert "bob/**=read" in listed
    for secret_text in (secret, fresh, text):
        assert secret_text not in listed + users("robot", "ls").out + users("user", "show", "bob").out
    identity = users("token", "ls", "bob", "-q").words[0]
    assert users("token", "rm", identity).words == [identity]
    assert users("token", "ls", "bob", "-q").words == []
    assert users("robot", "disable", "bob+ci").code == users("robot", "enable", "bob+ci").code == 0
    assert users("robot", "rm", "bob+ci").code == 0
    for words, why in (
        (["robot", "create", "bob"], "names no robot"),
        (["robot", "create", "bob+x", "--grant", "bob/**"], "says no rights"),
        (["robot", "create", "bob+x", "--expires", "0"], "at least 1"),
        (["token", "ls", "nobody"], "no account is named nobody"),
    ):
        refused = users(*words)
        assert refused.code == 1
        assert why in refused.err


def test_commands_that_change_nothing_make_no_registry(tack: Tack, tmp_path: Path) -> None:
    for words in (["user", "ls"], ["grant", "ls"], ["user", "passwd", "ada", "--generate"]):
        refused = tack(*words)
        assert refused.code == 1
        assert "no registry at" in refused.err
    assert not (tmp_path / "root").exists()
