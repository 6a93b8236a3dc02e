"""A program is looked for where the container will see it: what is to be mounted is left to the runtime."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardtack.container.errors import StartFailed
from hardtack.container.lookup import check_command


@pytest.fixture
def rootfs(tmp_path: Path) -> Iterator[int]:
    """A root file system with one program, one plain file and a linked directory."""
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "bin").symlink_to("usr/bin")
    (tmp_path / "usr/bin/tool").touch(0o755)
    (tmp_path / "usr/bin/text").touch(0o644)
    descriptor = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize(("command", "code"), [("/bin/gone", 127), ("gone", 127), ("/bin/text", 126), ("/bin", 126)])
def test_what_is_no_program_is_refused_with_docker_s_code(rootfs: int, command: str, code: int) -> None:
    with pytest.raises(StartFailed) as caught:
        check_command(rootfs, command, ["PATH=/bin"], "/", "run", ["/proc", "/data"])
    assert caught.value.exit_code == code


@pytest.mark.parametrize(
    ("command", "mounts"),
    [
        ("tool", []),
        ("/bin/tool", ["/proc"]),
        ("/data/new", ["/data"]),
        ("/data", ["/data"]),
        ("/x/../data/new", ["/data/"]),
        ("/bin/gone", ["/usr/bin"]),
        ("gone", ["/usr"]),
        ("./new", ["/data"]),
        ("/anything", ["/"]),
    ],
)
def test_a_program_that_is_there_or_lies_on_a_mount_passes(rootfs: int, command: str, mounts: list[str]) -> None:
    check_command(rootfs, command, ["PATH=/bin"], "/data", "run", mounts)


def test_a_mount_covers_nothing_that_only_begins_like_it(rootfs: int) -> None:
    with pytest.raises(StartFailed):
        check_command(rootfs, "/database/new", [], "/", "run", ["/data"])
