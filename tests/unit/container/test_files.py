"""Looking for a program inside a root, and taking a tree away: links lead nowhere, depth does not matter."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardtack.container.errors import StartFailed
from hardtack.container.lookup import check_command, interpreter_of
from hardtack.container.tree import remove_tree


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "root/bin").mkdir(parents=True)
    (tmp_path / "root/bin/tool").write_text("x")
    (tmp_path / "root/bin/tool").chmod(0o755)
    (tmp_path / "root/bin/data").write_text("x")
    (tmp_path / "root/bin/folder").mkdir()
    (tmp_path / "root/bin/out").symlink_to("../../outside")
    (tmp_path / "root/bin/link").symlink_to("/bin/tool")
    (tmp_path / "outside").write_text("x")
    (tmp_path / "outside").chmod(0o755)
    descriptor = os.open(tmp_path / "root", os.O_PATH | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize("command", ["tool", "/bin/tool", "link", "bin/tool", "./tool"])
def test_programs_are_found(inside: int, command: str) -> None:
    check_command(inside, command, ["PATH=/nowhere:/bin"], "/bin" if command.startswith("./") else "/", "run")


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("nothing", 127, "executable file not found in $PATH"),
        ("/nothing", 127, "no such file or directory"),
        ("data", 126, "permission denied"),
        ("folder", 126, "is a directory"),
        ("out", 127, "executable file not found in $PATH"),
        ("/bin/tool/x", 127, "no such file or directory"),
    ],
)
def test_what_is_no_program_is_told_as_docker_does(inside: int, command: str, code: int, said: str) -> None:
    with pytest.raises(StartFailed) as caught:
        check_command(inside, command, ["PATH=/bin"], "/", "run")
    assert caught.value.exit_code == code
    assert f'exec: "{command}": {said}' in str(caught.value)


def test_a_tree_of_any_depth_is_removed(tmp_path: Path) -> None:
    here = os.getcwd()
    (tmp_path / "tree").mkdir()
    os.chdir(tmp_path / "tree")
    try:
        for _ in range(1500):
            os.mkdir("d")
            os.chdir("d")
        Path("leaf").write_text("x")
    finally:
        os.chdir(here)
    remove_tree(str(tmp_path / "tree"))
    assert not (tmp_path / "tree").exists()


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").write_text("x")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/link").symlink_to(tmp_path / "kept")
    os.mkfifo(tmp_path / "tree/pipe")
    (tmp_path / "tree/closed").mkdir(mode=0)
    remove_tree(str(tmp_path / "tree"))
    assert (tmp_path / "kept/file").exists() and not (tmp_path / "tree").exists()
    remove_tree(str(tmp_path / "tree"))


def elf(loader: bytes) -> bytes:
    """The head of a 64-bit program that names a loader."""
    header = b"\x7fELF\x02\x01" + bytes(26) + (64).to_bytes(8, "little") + bytes(14)
    header += (56).to_bytes(2, "little") + (2).to_bytes(2, "little") + bytes(6)
    other = (6).to_bytes(4, "little") + bytes(52)
    wanted = (3).to_bytes(4, "little") + bytes(4) + (176).to_bytes(8, "little") + bytes(16)
    wanted += (len(loader) + 1).to_bytes(8, "little") + bytes(16)
    return header + other + wanted + loader + b"\0"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"#!/bin/sh -e\nrest", "/bin/sh"),
        (b"#! /usr/bin/env python\n", "/usr/bin/env"),
        (b"#!relative\n", ""),
        (b"#!\n", ""),
        (b"#!/never/ends", ""),
        (b"", ""),
        (b"\x7fELF", ""),
        (b"\x7fELF\x02\x01" + b"\xff" * 100, ""),
        (elf(b"/lib/ld.so"), "/lib/ld.so"),
        (elf(b"relative"), ""),
        (elf(b"/lib/ld.so")[:150], ""),
    ],
)
def test_the_interpreter_of_a_program_is_read_from_its_head(head: bytes, expected: str) -> None:
    assert interpreter_of(head) == expected


@given(st.binary(max_size=400), st.booleans())
def test_no_program_of_an_image_makes_that_fail(head: bytes, program: bool) -> None:
    assert isinstance(interpreter_of((b"\x7fELF\x02\x01" if program else b"#!") + head), str)


def test_a_missing_interpreter_is_named(inside: int, tmp_path: Path) -> None:
    (tmp_path / "root/bin/script").write_text("#!/no/such/shell\n")
    (tmp_path / "root/bin/script").chmod(0o755)
    with pytest.raises(StartFailed) as caught:
        check_command(inside, "script", ["PATH=/bin"], "/", "run")
    assert caught.value.exit_code == 127 and "its interpreter /no/such/shell is not in the image" in str(caught.value)
    check_command(inside, "script", ["PATH=/bin"], "/", "run", ["/no"])
