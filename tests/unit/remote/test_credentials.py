"""The credentials file: read as docker writes it, written as docker reads it, secrets kept to their owner."""

from __future__ import annotations

import base64
import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from hardtack.remote.credentials import HUB_KEY, Credential, Credentials
from hardtack.remote.errors import CredentialsInvalid, HelperFailed


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def credentials(folder: Path, document: Any) -> Credentials:
    path = folder / "config.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return Credentials(str(path))


@pytest.mark.parametrize(
    ("auths", "host", "expected"),
    [
        ({"r.example": {"auth": b64("me:p:w")}}, "r.example", ("me", "p:w", "", "")),
        ({"https://r.example/v1/": {"auth": b64("me:pw")}}, "r.example", ("me", "pw", "", "")),
        ({"r.example": {"username": "me", "password": "pw"}}, "r.example", ("me", "pw", "", "")),
        ({HUB_KEY: {"auth": b64("me:pw")}}, "docker.io", ("me", "pw", "", "")),
        ({"docker.io": {"auth": b64("me:pw")}}, "docker.io", ("me", "pw", "", "")),
        ({"r.example": {"auth": b64("me:"), "identitytoken": "it"}}, "r.example", ("me", "", "it", "")),
        ({"r.example": {"registrytoken": "rt"}}, "r.example", ("", "", "", "rt")),
        ({"r.example:5000": {"auth": b64("me:pw")}}, "r.example", ("", "", "", "")),
        ({"r.example": {"auth": b64("me:pw")}}, "evil.r.example", ("", "", "", "")),
        ({"r.example": {}}, "r.example", ("", "", "", "")),
        ({}, "r.example", ("", "", "", "")),
    ],
)
def test_entries_are_found_by_host_in_every_spelling(
    tmp_path: Path, auths: Any, host: str, expected: tuple[str, str, str, str]
) -> None:
    found = credentials(tmp_path, {"auths": auths}).find(host)
    assert (found.username, found.password, found.identity, found.registry_token) == expected
    assert bool(found) is any(expected)


def test_no_file_means_nobody(tmp_path: Path) -> None:
    assert not Credentials(str(tmp_path / "none" / "config.json")).find("r.example")


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "[]",
        {"auths": []},
        {"auths": {"r.example": {"auth": "***"}}},
        {"auths": {"r.example": {"auth": b64("x")}}},
        {"auths": {"r.example": {"username": 5}}},
        {"auths": {"r.example": "x"}},
    ],
)
def test_a_file_of_the_wrong_shape_is_an_error_that_names_it(tmp_path: Path, document: Any) -> None:
    with pytest.raises(CredentialsInvalid, match=r"config\.json"):
        credentials(tmp_path, document).find("r.example")


def test_storing_keeps_what_is_not_ours_and_lets_only_the_owner_read(tmp_path: Path) -> None:
    before = {"auths": {"a": {"auth": b64("x:y")}}, "HttpHeaders": {"X": "1"}, "psFormat": "ü"}
    store = credentials(tmp_path, before)
    os.chmod(store.path, 0o644)
    store.store("docker.io", Credential("me", "secret"))
    after = json.loads(Path(store.path).read_text())
    assert after == {**before, "auths": {**before["auths"], HUB_KEY: {"auth": b64("me:secret")}}}
    assert stat.S_IMODE(os.stat(store.path).st_mode) == 0o600
    assert os.listdir(tmp_path) == ["config.json"]


def test_a_symbolic_link_to_the_file_stays_one(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.json"
    real.write_text("{}")
    (tmp_path / "config.json").symlink_to(real)
    Credentials(str(tmp_path / "config.json")).store("r.example", Credential("me", "pw"))
    assert (tmp_path / "config.json").is_symlink()
    assert "r.example" in json.loads(real.read_text())["auths"]


def test_erasing_forgets_every_spelling_of_the_host(tmp_path: Path) -> None:
    store = credentials(tmp_path, {"auths": {"https://r.example/v1/": {}, "r.example": {}, "other": {}}})
    assert store.erase("r.example")
    assert json.loads(Path(store.path).read_text())["auths"] == {"other": {}}
    assert not store.erase("r.example")


def test_logins_at_the_same_time_are_all_remembered(tmp_path: Path) -> None:
    store = Credentials(str(tmp_path / "new" / "config.json"))
    threads = [
        threading.Thread(target=store.store, args=(f"r{number}.example", Credential("me", "pw"))) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(json.loads(Path(store.path).read_text())["auths"]) == 8


def test_a_secret_is_never_shown() -> None:
    assert "hunter2" not in repr(Credential("me", "hunter2"))


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A credential helper named `test` that keeps each secret in a file; its log shows what it was asked."""
    program = tmp_path / "bin" / "docker-credential-test"
    program.parent.mkdir()
    program.write_text(
        f"""#!/bin/sh
input=$(cat); echo "$1 $input" >> {tmp_path}/log
case $1:$input in
  get:r.example) echo '{{"ServerURL":"r.example","Username":"me","Secret":"pw"}}' ;;
  get:token.example) echo '{{"Username":"<token>","Secret":"it"}}' ;;
  get:broken.example) echo 'the keychain is locked'; exit 1 ;;
  get:odd.example) echo 'hello' ;;
  get:slow.example) exec sleep 20 ;;
  get:*) echo 'credentials not found in native keychain'; exit 1 ;;
esac
"""
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return tmp_path / "log"


@pytest.mark.parametrize(
    "document",
    [
        {"credsStore": "test"},
        {
            "credHelpers": dict.fromkeys(("r.example", "token.example", "none.example"), "test"),
            "credsStore": "absent",
        },
    ],
)
def test_helpers_are_asked_by_their_protocol(tmp_path: Path, helper: Path, document: Any) -> None:
    store = credentials(tmp_path, document)
    found = store.find("r.example")
    assert (found.username, found.password) == ("me", "pw")
    assert store.find("token.example").identity == "it"
    assert not store.find("none.example")


@pytest.mark.parametrize(
    ("host", "said"), [("broken.example", "keychain is locked"), ("odd.example", "else than its JSON")]
)
def test_a_helper_that_fails_says_why(tmp_path: Path, helper: Path, host: str, said: str) -> None:
    with pytest.raises(HelperFailed, match=said):
        credentials(tmp_path, {"credsStore": "test"}).find(host)


def test_a_helper_that_hangs_is_not_waited_for(tmp_path: Path, helper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hardtack.remote import helper as module

    monkeypatch.setattr(module, "_SECONDS", 0.2)
    with pytest.raises(HelperFailed, match="within"):
        module.Helper("test", 0.2).get("slow.example")


def test_a_helper_that_is_missing_or_impossible_is_named(tmp_path: Path) -> None:
    with pytest.raises(HelperFailed, match="docker-credential-absent is not installed"):
        credentials(tmp_path, {"credsStore": "absent"}).find("r.example")
    with pytest.raises(HelperFailed, match="no program"):
        credentials(tmp_path, {"credsStore": "../../bin/sh"}).find("r.example")


def test_login_hands_the_secret_to_the_helper_and_not_to_the_file(tmp_path: Path, helper: Path) -> None:
    store = credentials(tmp_path, {"credsStore": "test"})
    where = store.store("docker.io", Credential("me", "hunter2"))
    assert where == "docker-credential-test"
    assert "hunter2" not in Path(store.path).read_text()
    line = helper.read_text().strip()
    assert json.loads(line.removeprefix("store ")) == {"ServerURL": HUB_KEY, "Username": "me", "Secret": "hunter2"}
    assert store.erase("docker.io")
    assert helper.read_text().strip().endswith(f"erase {HUB_KEY}")
