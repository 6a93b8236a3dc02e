"""Archives travel both ways: what docker saved runs here, what is saved here runs in docker and in podman."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardtack.store.root import Root
from support.daemons import Docker, Podman, call
from support.tars import busybox_tar

TACK = str(Path(sys.executable).parent / "tack")
NAME = "tests/archive:1"
SAYS = ["sh", "-c", "echo $GREETING from $(cat /etc/origin)"]
pytestmark = pytest.mark.clients


def tack(*words: str) -> str:
    return call([TACK, *words]).stdout.strip()


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A build context of three layers that both docker and tack can build."""
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "root.tar").write_bytes(busybox_tar())
    (folder / "Dockerfile").write_text(
        "FROM scratch\nADD root.tar /\nENV GREETING=hello\nRUN echo here > /etc/origin\nRUN rm /etc/group\n"
        'CMD ["sh", "-c", "echo $GREETING from $(cat /etc/origin)"]\n'
    )
    return folder


@pytest.fixture
def saved_here(root: Root, context: Path, tmp_path: Path) -> Path:
    tack("build", "-q", "-t", NAME, str(context))
    archive = tmp_path / "ours.tar"
    tack("save", "-o", str(archive), NAME)
    return archive


@pytest.fixture
def in_docker(docker: Docker, context: Path) -> Iterator[str]:
    docker("build", "-q", "--network", "none", "-t", NAME, str(context))
    yield NAME
    docker("rmi", "-f", NAME, check=False)


def test_an_image_saved_by_docker_loads_here_and_runs(
    root: Root, docker: Docker, in_docker: str, tmp_path: Path
) -> None:
    archive = tmp_path / "theirs.tar"
    docker("save", "-o", str(archive), NAME)
    assert tack("load", "-i", str(archive)) == f"Loaded image: {NAME}"
    assert tack("run", "--rm", "--network", "none", NAME) == "hello from here"
    assert "group" not in tack("run", "--rm", "--network", "none", NAME, "ls", "/etc").split()
    theirs = docker("image", "inspect", "--format", "{{.Id}}", NAME).stdout.strip()
    assert tack("image", "inspect", "--format", "{{.Id}}", NAME) == theirs


@pytest.mark.parametrize("squeeze", ["gzip", "zstd", "xz"])
def test_a_compressed_archive_from_docker_loads_too(
    root: Root, docker: Docker, in_docker: str, tmp_path: Path, squeeze: str
) -> None:
    archive = tmp_path / "theirs.tar"
    docker("save", "-o", str(archive), NAME)
    packed = tmp_path / "theirs.packed"
    packed.write_bytes(subprocess.run([squeeze, "-c", str(archive)], check=True, capture_output=True).stdout)
    assert tack("load", "-i", str(packed)) == f"Loaded image: {NAME}"
    assert tack("run", "--rm", "--network", "none", NAME) == "hello from here"


def test_an_image_saved_here_loads_in_docker_and_runs(docker: Docker, saved_here: Path) -> None:
    docker("load", "-i", str(saved_here))
    try:
        assert docker("run", "--rm", "--network", "none", NAME).stdout.strip() == "hello from here"
        theirs = json.loads(docker("image", "inspect", NAME).stdout)[0]
        ours = json.loads(tack("image", "inspect", NAME))[0]
        assert theirs["Id"] == ours["Id"]
        assert theirs["RootFS"]["Layers"] == ours["RootFS"]["Layers"]
    finally:
        docker("rmi", "-f", NAME, check=False)


def test_an_image_saved_here_loads_in_podman_and_runs(their_podman: Podman, saved_here: Path) -> None:
    their_podman("load", "-i", str(saved_here))
    try:
        assert their_podman.run("--rm", NAME, *SAYS).stdout.strip() == "hello from here"
        theirs = their_podman("image", "inspect", "--format", "{{.Id}}", NAME).stdout.strip()
        assert tack("image", "inspect", "--format", "{{.Id}}", NAME) == f"sha256:{theirs}"
    finally:
        their_podman("rmi", "-f", NAME, check=False)


def test_an_image_saved_by_podman_as_an_oci_archive_loads_here_and_runs(
    root: Root, their_podman: Podman, saved_here: Path, tmp_path: Path
) -> None:
    their_podman("load", "-i", str(saved_here))
    archive = tmp_path / "podman.tar"
    their_podman("save", "--format", "oci-archive", "-o", str(archive), NAME)
    their_podman("rmi", "-f", NAME)
    tack("rmi", NAME)
    tack("load", "-i", str(archive))
    assert tack("run", "--rm", "--network", "none", NAME) == "hello from here"
