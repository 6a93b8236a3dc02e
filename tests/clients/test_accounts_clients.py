"""What docker keeps after a login, and what it may when that was taken away; the rest is in the accounts matrix."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.accounts import SHELL, administer, basic, make_token, password_of, registry_with_accounts
from support.daemons import Docker, call
from support.layouts import Layout
from support.our_registry import OurRegistry
from support.peers import found
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
    words = [found("skopeo"), "copy", "-q", "--dest-tls-verify=false", "--dest-creds", credentials]
    call([*words, f"oci:{layout}:v1", f"docker://{registry.host}/{name}"])


def status(registry: OurRegistry, name: str, user: str) -> int:
    return registry.client("HEAD", f"/v2/{name}/manifests/v1", Authorization=basic(user)).status


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
