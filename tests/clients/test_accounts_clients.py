"""Real clients log in to our registry, push to what is theirs, pull what they may, and are told when they may not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.accounts import SHELL, administer, basic, grant, make_token, password_of, registry_with_accounts
from support.daemons import Docker, Podman, call
from support.layouts import Layout
from support.our_registry import TACK, OurRegistry
from support.tars import busybox_tar

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurRegistry]:
    with registry_with_accounts(tmp_path_factory.mktemp("clients") / "root") as running:
        yield running


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An OCI layout of busybox. Costs 50 ms."""
    made = Layout(tmp_path_factory.mktemp("layout"))
    made.image([busybox_tar()], "v1")
    return made.path


def needs(program: str) -> str:
    peer = Path(os.environ.get("PEERS", "/tmp/peers")) / "bin" / program
    found = str(peer) if os.access(peer, os.X_OK) else shutil.which(program)
    if found is None:
        pytest.skip(f"needs {program}")
    return found


def run(words: list[str], given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program, whatever it ends with."""
    return subprocess.run(
        words,
        input=given,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, **environment},
    )


def push(registry: OurRegistry, layout: Path, name: str, user: str) -> None:
    """Put an image there, by skopeo."""
    credentials = f"{user}:{password_of(user)}"
    words = [needs("skopeo"), "copy", "-q", "--dest-tls-verify=false", "--dest-creds", credentials]
    call([*words, f"oci:{layout}:v1", f"docker://{registry.host}/{name}"])


def status(registry: OurRegistry, name: str, user: str) -> int:
    return registry.client("HEAD", f"/v2/{name}/manifests/v1", Authorization=basic(user)).status


def test_skopeo_with_and_without_the_right_password(registry: OurRegistry, layout: Path, tmp_path: Path) -> None:
    skopeo, there = needs("skopeo"), f"docker://{registry.host}/ada/skopeo:v1"
    authfile = ["--authfile", str(tmp_path / "auth.json")]
    login = [skopeo, "login", "--tls-verify=false", *authfile, "-u", "ada", "--password-stdin", registry.host]
    refused = run(login, "not this one")
    assert refused.returncode != 0
    assert "invalid username/password" in refused.stderr
    assert run(login, password_of("ada")).returncode == 0
    call([skopeo, "copy", "-q", *authfile, "--dest-tls-verify=false", f"oci:{layout}:v1", there])
    assert status(registry, "ada/skopeo", "ada") == 200
    theirs = there.replace("ada/", "bob/")
    denied = run([skopeo, "copy", "-q", *authfile, "--dest-tls-verify=false", f"oci:{layout}:v1", theirs])
    assert denied.returncode != 0
    assert "403" in denied.stderr
    assert run([skopeo, "inspect", "--tls-verify=false", there]).returncode != 0, "nobody in particular may pull"
    call([skopeo, "delete", *authfile, "--tls-verify=false", there])
    assert status(registry, "ada/skopeo", "ada") == 404


def test_anybody_pulls_what_is_public(registry: OurRegistry, layout: Path, tmp_path: Path) -> None:
    push(registry, layout, "library/shown:v1", "root")
    skopeo = needs("skopeo")
    call(
        [
            skopeo,
            "copy",
            "-q",
            "--src-tls-verify=false",
            f"docker://{registry.host}/library/shown:v1",
            f"oci:{tmp_path}",
        ]
    )
    refused = run(
        [skopeo, "copy", "-q", "--dest-tls-verify=false", f"oci:{layout}:v1", f"docker://{registry.host}/library/x:v1"]
    )
    assert refused.returncode != 0
    assert registry.client("HEAD", "/v2/library/x/manifests/v1", Authorization=basic("root")).status == 404


def test_docker(registry: OurRegistry, docker: Docker, layout: Path, tmp_path: Path) -> None:
    push(registry, layout, "ada/docker:v1", "ada")
    there, config = f"{registry.host}/ada/docker:v1", ["--config", str(tmp_path)]

    def docker_as(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return run(["/usr/bin/docker", *config, "-H", f"unix://{docker.socket}", *words], given)

    assert docker_as("pull", "-q", there).returncode != 0
    refused = docker_as("login", "-u", "ada", "--password-stdin", registry.host, given="not this one")
    assert "the name or the password is wrong" in refused.stderr
    assert docker_as("login", "-u", "ada", "--password-stdin", registry.host, given=password_of("ada")).returncode == 0
    kept = json.loads((tmp_path / "config.json").read_text())["auths"][registry.host]
    assert kept["identitytoken"].startswith("tack_ref_"), "docker keeps a secret of its own, and no password"
    assert docker_as("pull", "-q", there).returncode == 0
    docker_as("tag", there, there.replace("docker", "pushed"))
    assert docker_as("push", "-q", there.replace("docker", "pushed")).returncode == 0
    assert status(registry, "ada/pushed", "ada") == 200
    docker_as("tag", there, there.replace("ada", "bob"))
    denied = docker_as("push", there.replace("ada", "bob"))
    assert "denied" in denied.stderr
    administer(registry.root, lambda accounts: accounts.sessions.end_all(SHELL, "ada"))
    assert docker_as("push", "-q", there.replace("docker", "later")).returncode != 0
    docker_as("rmi", "-f", there, there.replace("docker", "pushed"), there.replace("ada", "bob"))


def test_docker_with_a_personal_token(registry: OurRegistry, docker: Docker, layout: Path, tmp_path: Path) -> None:
    push(registry, layout, "ada/token:v1", "ada")
    text, identity = make_token(registry.root, "ada", ("ada/**", "read"))
    there = f"{registry.host}/ada/token:v1"
    words = ["/usr/bin/docker", "--config", str(tmp_path), "-H", f"unix://{docker.socket}"]
    assert run([*words, "login", "-u", "ada", "--password-stdin", registry.host], text).returncode == 0
    assert run([*words, "pull", "-q", there]).returncode == 0
    assert "denied" in run([*words, "push", there]).stderr
    administer(registry.root, lambda accounts: accounts.tokens.delete(SHELL, identity))
    assert run([*words, "pull", "-q", there]).returncode != 0
    run([*words, "rmi", "-f", there])


def test_podman(registry: OurRegistry, their_podman: Podman, layout: Path, tmp_path: Path) -> None:
    auth = ["--authfile", str(tmp_path / "auth.json")]
    store = ["podman", "--root", f"{their_podman.folder}/root", "--runroot", f"{their_podman.folder}/run"]
    login = [*store, "login", *auth, "--tls-verify=false", "-u", "ada", "--password-stdin", registry.host]
    assert run(login, "not this one").returncode != 0
    assert run(login, password_of("ada")).returncode == 0
    there = f"{registry.host}/ada/podman:v1"
    their_podman("pull", "-q", f"oci:{layout}:v1")
    identity = their_podman("images", "-q", "--no-trunc").stdout.split()[0]
    their_podman("push", "-q", *auth, "--tls-verify=false", identity, there)
    their_podman("rmi", "-f", identity)
    assert their_podman("pull", "-q", "--tls-verify=false", there, check=False).returncode != 0
    their_podman("pull", "-q", *auth, "--tls-verify=false", there)
    denied = their_podman("push", "-q", *auth, "--tls-verify=false", there, there.replace("ada", "bob"), check=False)
    assert denied.returncode != 0
    their_podman("rmi", "-f", there)


def test_crane(registry: OurRegistry, layout: Path, tmp_path: Path) -> None:
    crane, environment = needs("crane"), {"DOCKER_CONFIG": str(tmp_path)}
    login = [crane, "auth", "login", "-u", "ada", "--password-stdin", registry.host]
    assert run(login, password_of("ada"), **environment).returncode == 0
    there = f"{registry.host}/ada/crane:v1"
    for words in (
        ["push", "--insecure", str(layout), there],
        ["copy", "--insecure", there, there.replace("crane", "copy")],
        ["tag", "--insecure", there, "v2"],
        ["ls", "--insecure", f"{registry.host}/ada/crane"],
    ):
        done = run([crane, *words], **environment)
        assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["v1", "v2"]
    listed = run([crane, "catalog", "--insecure", registry.host], **environment).stdout.split()
    assert {"ada/crane", "ada/copy"} <= set(listed)
    assert not [name for name in listed if name.startswith("bob/")]
    digest = run([crane, "digest", "--insecure", there], **environment).stdout.strip()
    assert run([crane, "delete", "--insecure", f"{registry.host}/ada/crane@{digest}"], **environment).returncode == 0
    assert status(registry, "ada/crane", "ada") == 404
    refused = run([crane, "push", "--insecure", str(layout), there.replace("ada", "bob")], **environment)
    assert "403" in refused.stderr


def test_oras(registry: OurRegistry, tmp_path: Path) -> None:
    oras, environment = needs("oras"), {"DOCKER_CONFIG": str(tmp_path / "config")}
    login = [oras, "login", "--plain-http", "-u", "ada", "--password-stdin", registry.host]
    assert run(login, "not this one", **environment).returncode != 0
    assert run(login, password_of("ada"), **environment).returncode == 0
    (tmp_path / "note.txt").write_text("an artifact")
    there = f"{registry.host}/ada/oras:v1"
    pushed = run(
        [oras, "push", "--plain-http", "--disable-path-validation", there, str(tmp_path / "note.txt")], **environment
    )
    assert pushed.returncode == 0, pushed.stderr
    assert run([oras, "pull", "--plain-http", "--allow-path-traversal", there], **environment).returncode == 0
    assert run([oras, "repo", "tags", "--plain-http", f"{registry.host}/ada/oras"], **environment).stdout.split() == [
        "v1"
    ]
    refused = run([oras, "manifest", "fetch", "--plain-http", there.replace("ada", "bob")], **environment)
    assert refused.returncode != 0


def test_regctl(registry: OurRegistry, layout: Path, tmp_path: Path) -> None:
    push(registry, layout, "ada/regctl:v1", "ada")
    regctl, environment = needs("regctl"), {"REGCTL_CONFIG": str(tmp_path / "config.json")}
    assert run([regctl, "registry", "set", "--tls", "disabled", registry.host], **environment).returncode == 0
    login = [regctl, "registry", "login", "-u", "ada", "--pass-stdin", registry.host]
    assert run(login, password_of("ada"), **environment).returncode == 0
    there = f"{registry.host}/ada/regctl:v1"
    copied = run([regctl, "image", "copy", there, there.replace("regctl", "regcopy")], **environment)
    assert copied.returncode == 0, copied.stderr
    assert run([regctl, "tag", "ls", f"{registry.host}/ada/regcopy"], **environment).stdout.split() == ["v1"]
    deleted = run([regctl, "tag", "delete", there.replace("regctl", "regcopy")], **environment)
    assert deleted.returncode == 0, deleted.stderr
    assert run([regctl, "image", "copy", there, there.replace("ada", "bob")], **environment).returncode != 0


def test_tack_itself_with_a_robot(registry: OurRegistry, layout: Path, tmp_path: Path) -> None:
    push(registry, layout, "ada/tack:v1", "ada")
    secret, robot = administer(
        registry.root, lambda accounts: accounts.robots.create(SHELL, "ada", "ci", (grant("ada/*", "write"),))
    )
    environment = {
        "HARDTACK_ROOT": str(tmp_path / "root"),
        "HARDTACK_RUN": str(tmp_path / "run"),
        "DOCKER_CONFIG": str(tmp_path / "config"),
    }
    there = f"{registry.host}/ada/tack:v1"
    login = [TACK, "login", "-u", robot.name, "--password-stdin", registry.host]
    assert run([TACK, "pull", "-q", there], **environment).returncode != 0
    assert run(login, secret, **environment).returncode == 0
    for words in (["pull", "-q", there], ["tag", there, there.replace("tack", "by-robot")]):
        assert run([TACK, *words], **environment).returncode == 0
    assert run([TACK, "push", "-q", there.replace("tack", "by-robot")], **environment).returncode == 0
    assert status(registry, "ada/by-robot", "ada") == 200
    run([TACK, "tag", there, there.replace("ada", "bob")], **environment)
    assert run([TACK, "push", "-q", there.replace("ada", "bob")], **environment).returncode != 0
