"""`tack` against Debian's docker-registry, with skopeo as the witness of what really lies there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hardtack.store.root import Root
from support.debian_registry import debian_registry
from support.layouts import Layout
from support.tars import busybox_tar, files_tar

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo"),
]
# The password is `secret`; bcrypt with few rounds, because the registry computes it at every request.
HTPASSWD = "me:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n"


def tack(*words: str, code: int = 0, text: str = "") -> str:
    """Run the command; costs 100 ms and more."""
    done = subprocess.run(
        [sys.executable, "-c", "from hardtack.cli.main import script; script()", *words],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def skopeo(*words: str) -> str:
    done = subprocess.run(["skopeo", *words], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def raw(name: str) -> str:
    return skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{name}")


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration and no credentials of the machine."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("HARDTACK_CONFIG", "")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's registry, open to everybody, holding an image and an index. Costs 400 ms."""
    folder = tmp_path_factory.mktemp("registry")
    with debian_registry(folder) as host:
        layout = Layout(folder / "layout")
        noise = files_tar({"noise": os.urandom(3_000_000)})
        images = {}
        for architecture in ("amd64", "arm64"):
            own = files_tar({"arch": architecture.encode()})
            images[f"linux/{architecture}"] = layout.image(
                [busybox_tar(), noise, own], architecture=architecture, list_it=False
            )
        layout.several(images, "index")
        skopeo(
            "copy", "-q", "--all", "--dest-tls-verify=false", f"oci:{layout.path}:index", f"docker://{host}/a/index:1"
        )
        yield host


def test_an_image_comes_and_goes_with_its_digest(root: Root, theirs: str) -> None:
    name = f"{theirs}/a/index:1"
    out = tack("pull", name).splitlines()
    digest = skopeo("inspect", "--format", "{{.Digest}}", "--tls-verify=false", f"docker://{name}").strip()
    assert out[0] == "1: Pulling from a/index"
    assert out[-3:] == [f"Digest: {digest}", f"Status: Downloaded newer image for {name}", name]
    assert tack("pull", "-q", name) == f"{name}\n"
    assert f"Status: Image is up to date for {name}" in tack("pull", name)

    back = f"{theirs}/a/index:again"
    tack("tag", name, back)
    out = tack("push", back).splitlines()
    assert out[0] == f"The push refers to repository [{theirs}/a/index]"
    assert out[-1].startswith(f"again: digest: {digest} size: ")
    assert raw(back) == raw(name)

    elsewhere = f"{theirs}/elsewhere:1"
    tack("tag", name, elsewhere)
    out = tack("push", elsewhere).splitlines()
    assert any(line.endswith(": Mounted from a/index") for line in out)
    manifest = json.loads(raw(elsewhere))
    assert manifest in [
        json.loads(raw(f"{theirs}/a/index@{child['digest']}")) for child in json.loads(raw(name))["manifests"]
    ]


def test_both_platforms_of_an_index_go_to_another_registry_as_one(root: Root, theirs: str, tmp_path: Path) -> None:
    name = f"{theirs}/a/index:1"
    for platform in ("linux/arm64", "linux/amd64"):
        tack("pull", "-q", "--platform", platform, name)
    with debian_registry(tmp_path / "second") as second:
        copy = f"{second}/copy:1"
        tack("tag", name, copy)
        tack("push", copy)
        assert raw(copy) == raw(name)
        assert skopeo("list-tags", "--tls-verify=false", f"docker://{second}/copy").count('"1"') == 1
        tack("push", copy)  # everything is there


def test_a_digest_and_every_tag_can_be_pulled(root: Root, theirs: str) -> None:
    children: list[dict[str, Any]] = json.loads(raw(f"{theirs}/a/index:1"))["manifests"]
    by_digest = f"{theirs}/a/index@{children[0]['digest']}"
    assert tack("pull", "-q", by_digest) == f"{by_digest}\n"
    skopeo(
        "copy",
        "-q",
        "--src-tls-verify=false",
        "--dest-tls-verify=false",
        f"docker://{theirs}/a/index:1",
        f"docker://{theirs}/several:one",
    )
    skopeo(
        "copy",
        "-q",
        "--src-tls-verify=false",
        "--dest-tls-verify=false",
        f"docker://{theirs}/a/index:1",
        f"docker://{theirs}/several:two",
    )
    out = tack("pull", "-a", f"{theirs}/several")
    assert "one: Pulling from several" in out
    assert "two: Pulling from several" in out
    assert f"manifest for {theirs}/a/index:none not found: manifest unknown" in tack(
        "pull", f"{theirs}/a/index:none", code=1
    )


def test_a_registry_with_passwords_lets_in_who_logged_in(root: Root, theirs: str, tmp_path: Path) -> None:
    with debian_registry(tmp_path / "locked", HTPASSWD) as locked:
        tack("pull", "-q", f"{theirs}/a/index:1")
        name = f"{locked}/a/b:1"
        tack("tag", f"{theirs}/a/index:1", name)
        assert f"tack login {locked}" in tack("push", name, code=1)
        assert "refused the name or the password" in tack("login", "-u", "me", "-p", "wrong", locked, code=1)
        assert tack("login", "-u", "me", "--password-stdin", locked, text="secret") == "Login Succeeded\n"
        tack("push", name)
        credentials = ("--tls-verify=false", "--creds", "me:secret")
        digest = skopeo("inspect", "--format", "{{.Digest}}", *credentials, f"docker://{name}").strip()
        assert f"Digest: {digest}" in tack("pull", name)
        tack("logout", locked)
        assert "needs a name and a password" in tack("pull", name, code=1)


def test_docker_formats_come_and_go_verbatim(root: Root, theirs: str) -> None:
    docker = f"{theirs}/docker:1"
    skopeo(
        "copy",
        "-q",
        "--format",
        "v2s2",
        "--src-tls-verify=false",
        "--dest-tls-verify=false",
        f"docker://{theirs}/a/index:1",
        f"docker://{docker}",
    )
    tack("pull", "-q", docker)
    tack("tag", docker, f"{theirs}/docker:2")
    tack("push", "-q", f"{theirs}/docker:2")
    assert raw(f"{theirs}/docker:2") == raw(docker)
    assert json.loads(tack("manifest", "inspect", docker)) == json.loads(raw(docker))
