"""docker's table of what cp does, and how its operands are read."""

from __future__ import annotations

import pytest

from hardtack.container.copy import decide, parse_place
from hardtack.container.reach import CopyFailed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("box:/etc/hosts", ("box", "/etc/hosts")),
        ("box:etc", ("box", "etc")),
        ("box:", ("box", "")),
        ("/a:b", ("", "/a:b")),
        ("./a:b", ("", "./a:b")),
        ("file", ("", "file")),
        ("-", ("", "-")),
        ("box:/a:b", ("box", "/a:b")),
    ],
)
def test_a_colon_names_a_container_unless_a_path_comes_first(text: str, expected: tuple[str, str]) -> None:
    assert parse_place(text) == expected


@pytest.mark.parametrize(
    ("is_directory", "contents", "kind", "slash", "expected"),
    [
        (False, False, "directory", False, ("base", False)),
        (False, False, "directory", True, ("base", False)),
        (False, False, "file", False, ("name", False)),
        (False, False, "missing", False, ("name", False)),
        (False, False, "missing", True, CopyFailed),
        (False, False, "file", True, CopyFailed),
        (True, False, "directory", False, ("base", False)),
        (True, True, "directory", False, ("", True)),
        (True, False, "missing", False, ("name", False)),
        (True, True, "missing", False, ("name", False)),
        (True, False, "missing", True, ("name", False)),
        (True, False, "file", False, CopyFailed),
        (True, True, "file", False, CopyFailed),
    ],
)
def test_what_becomes_of_a_copy(
    is_directory: bool, contents: bool, kind: str, slash: bool, expected: tuple[str, bool] | type[CopyFailed]
) -> None:
    if expected is CopyFailed:
        with pytest.raises(CopyFailed):
            decide(is_directory, contents, "base", kind, "name", slash)
    else:
        assert decide(is_directory, contents, "base", kind, "name", slash) == expected
