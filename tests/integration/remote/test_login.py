"""`tack login`, `logout` and `manifest inspect` as people type them."""

from __future__ import annotations

import base64
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.bad_registry import OCI_INDEX, OCI_MANIFEST, BadRegistry, Handler, TokenServer, basic_auth, status


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without any configuration; returns the credentials file that does not exist yet."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("HARDTACK_CONFIG", "")
    return tmp_path / "docker" / "config.json"


def tack(*words: str, text: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command as a process; costs 100 ms."""
    done = subprocess.run(
        [sys.executable, "-c", "from hardtack.cli.main import script; script()", *words],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == code, done.stderr
    return done


def test_a_password_from_stdin_is_tried_out_and_kept(registry: BadRegistry, home: Path) -> None:
    registry.auth = basic_auth("me", "p w")
    done = tack("login", "-u", "me", "--password-stdin", registry.host, text="p w\n")
    assert done.stdout == "Login Succeeded\n"
    assert f"stored unencrypted in '{home}'" in done.stderr
    auth = json.loads(home.read_text())["auths"][registry.host]["auth"]
    assert base64.b64decode(auth) == b"me:p w"
    assert tack("login", registry.host).stdout == "Login Succeeded\n"  # with what is kept
    assert tack("logout", registry.host).stdout == f"Removing login credentials for {registry.host}\n"
    assert json.loads(home.read_text())["auths"] == {}
    assert tack("logout", registry.host).stdout == f"Not logged in to {registry.host}\n"


def test_a_wrong_password_is_not_kept(registry: BadRegistry, home: Path) -> None:
    registry.auth = basic_auth("me", "right")
    done = tack("login", "-u", "me", "-p", "wrong", registry.host, code=1)
    assert f"tack: cannot log in to {registry.host}: " in done.stderr
    assert "refused the name or the password" in done.stderr
    assert not home.exists()


def test_a_token_server_may_give_an_identity_token_in_place_of_the_password(
    registry: BadRegistry, tokens: TokenServer, home: Path
) -> None:
    tokens.users["me"] = "pw"
    registry.auth = tokens.guard()
    tack("login", "-u", "me", "--password-stdin", registry.host, text="pw")
    entry = json.loads(home.read_text())["auths"][registry.host]
    assert entry["identitytoken"] == "r-me"
    assert base64.b64decode(entry["auth"]) == b"me:"
    tack("login", registry.host)
    assert tokens.seen[-1].method == "POST"


def test_a_token_server_that_slows_down_logins_says_for_how_long(registry: BadRegistry, home: Path) -> None:
    with BadRegistry() as slow:
        slow.fault("/token", status(429, {"Retry-After": "900"}))

        def ask_there(handler: Handler) -> bool:
            handler.error(401, "UNAUTHORIZED", headers={"WWW-Authenticate": f'Bearer realm="{slow.url}/token"'})
            return False

        registry.auth = ask_there
        done = tack("login", "-u", "me", "--password-stdin", registry.host, text="pw", code=1)
    assert "limits the rate of requests (token server). Try again in 900 seconds" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-u", "me", "-p", "x", "--password-stdin"), "mutually exclusive"),
        (("--password-stdin",), "must provide --username"),
        ((), "non TTY device"),
        (("-u", "me"), "non TTY device"),
    ],
)
def test_what_docker_refuses_is_refused(home: Path, words: tuple[str, ...], said: str) -> None:
    assert said in tack("login", *words, "localhost:1", code=1).stderr


def test_the_password_is_asked_for_without_showing_it(registry: BadRegistry, home: Path) -> None:
    registry.auth = basic_auth("me", "hunter2")
    child, terminal = pty.fork()
    if child == 0:
        os.execv(
            sys.executable,
            [sys.executable, "-c", "from hardtack.cli.main import script; script()", "login", registry.host],
        )
    seen = b""
    answers = [(b"Username: ", b"me\n"), (b"Password: ", b"hunter2\n")]
    try:
        while True:
            try:
                piece = os.read(terminal, 4096)
            except OSError:
                break
            if not piece:
                break
            seen += piece
            if answers and seen.endswith(answers[0][0]):
                os.write(terminal, answers.pop(0)[1])
    finally:
        _, code = os.waitpid(child, 0)
        os.close(terminal)
    assert code == 0, seen
    assert b"Login Succeeded" in seen
    assert b"hunter2" not in seen
    assert home.exists()


def test_an_end_of_input_at_the_password_is_no_internal_error(home: Path) -> None:
    child, terminal = pty.fork()
    if child == 0:
        words = ["-c", "from hardtack.cli.main import script; script()", "login", "-u", "me", "localhost:1"]
        os.execv(sys.executable, [sys.executable, *words])
    seen = b""
    try:
        while piece := os.read(terminal, 4096):
            seen += piece
            if seen.endswith(b"Password: "):
                os.write(terminal, b"\x04")
    except OSError:
        pass
    finally:
        _, code = os.waitpid(child, 0)
        os.close(terminal)
    assert os.waitstatus_to_exitcode(code) == 1
    assert b"a name and a password are needed" in seen, seen


def test_a_password_that_is_no_text_goes_to_the_registry_as_it_is(registry: BadRegistry, home: Path) -> None:
    wanted = base64.b64encode(b"me:p\xffw").decode()

    def check(handler: Handler) -> bool:
        if handler.headers.get("Authorization") == f"Basic {wanted}":
            return True
        handler.error(401, "UNAUTHORIZED", headers={"WWW-Authenticate": 'Basic realm="r"'})
        return False

    registry.auth = check
    command = [sys.executable, "-c", "from hardtack.cli.main import script; script()", "login", "-u", "me"]
    done = subprocess.run(
        [*command, "--password-stdin", registry.host], input=b"p\xffw\n", capture_output=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(home.read_text())["auths"][registry.host]["auth"] == wanted
    assert tack("login", registry.host).stdout == "Login Succeeded\n"  # with what is kept


@pytest.mark.parametrize("folder", ["/etc/hosts", "/proc/self"])
def test_a_place_where_nothing_can_be_kept_is_named(
    registry: BadRegistry, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARDTACK_CONFIG", "")
    monkeypatch.setenv("DOCKER_CONFIG", folder)
    said = tack("login", "-u", "me", "-p", "x", registry.host, code=1).stderr
    assert f"the credentials in {folder}/config.json cannot be used" in said


@pytest.mark.parametrize("server", ["a b", "-", "host:port"])
def test_what_is_no_registry_is_refused(home: Path, server: str) -> None:
    assert "names no registry" in tack("login", "-u", "me", "-p", "x", "--", server, code=1).stderr


CONFIG = json.dumps(
    {"architecture": "arm64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}, "config": {}}
).encode()


def image(registry: BadRegistry, tag: str = "1") -> tuple[dict[str, Any], str]:
    digest = registry.add_blob(CONFIG)
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": len(CONFIG)},
        "layers": [],
    }
    return manifest, registry.add_manifest("a/b", tag, manifest)


def test_a_manifest_is_shown_as_it_is(registry: BadRegistry, home: Path) -> None:
    manifest, _ = image(registry)
    done = tack("manifest", "inspect", f"{registry.host}/a/b:1")
    assert done.stdout == json.dumps(manifest, indent="\t") + "\n"
    assert "has no manifest a/b:2" in tack("manifest", "inspect", f"{registry.host}/a/b:2", code=1).stderr


def test_verbose_tells_the_platform_and_every_child(registry: BadRegistry, home: Path) -> None:
    manifest, digest = image(registry)
    raw = json.dumps(manifest).encode()
    platform = {"architecture": "arm64", "os": "linux"}
    child = {"mediaType": OCI_MANIFEST, "digest": digest, "size": len(raw), "platform": platform}
    registry.add_manifest("a/b", "all", {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child]}, OCI_INDEX)
    name = f"{registry.host}/a/b"
    one = json.loads(tack("manifest", "inspect", "-v", f"{name}:1").stdout)
    assert one["Descriptor"] == child
    assert one["Ref"] == f"{name}:1"
    assert one["OCIManifest"] == manifest
    assert base64.b64decode(one["Raw"]) == raw
    many = json.loads(tack("manifest", "inspect", "-v", f"{name}:all").stdout)
    assert [entry["Ref"] for entry in many] == [f"{name}:all@{digest}"]
    assert many[0]["Descriptor"]["platform"] == platform
