"""Headers that we write: others read them, and so do we."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardtack.store.layer.member import (
    BLOCK,
    CHARACTER,
    DIRECTORY,
    FIFO,
    FILE,
    HARDLINK,
    OPAQUE,
    SYMLINK,
    WHITEOUT,
    Member,
)
from hardtack.store.layer.tarscan import Scanner
from hardtack.store.layer.tarwrite import END, header, padding
from hardtack.store.layer.whiteout import read_name, written_name


class Collect:
    def __init__(self) -> None:
        self.members: list[Member] = []

    def member(self, member: Member) -> bool:
        self.members.append(member)
        return False

    def payload(self, chunk: memoryview) -> None:
        raise AssertionError("nobody asked")


def read(data: bytes) -> list[Member]:
    found = Collect()
    scanner = Scanner(found)
    scanner.feed(data)
    scanner.finish()
    return found.members


_NAME = st.binary(min_size=1, max_size=120).filter(
    lambda n: b"/" not in n and b"\0" not in n and n not in (b".", b"..") and not n.startswith(b".wh.")
)
_PATH = st.lists(_NAME, min_size=1, max_size=4).map(b"/".join)
_LINK = st.binary(min_size=1, max_size=300).filter(lambda n: b"\0" not in n)
_MEMBERS = st.builds(
    Member,
    st.sampled_from([FILE, DIRECTORY, SYMLINK, HARDLINK, CHARACTER, BLOCK, FIFO, WHITEOUT]),
    _PATH,
    st.integers(0, 0o7777),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    mtime=st.integers(-(1 << 40), 1 << 40),
    major=st.integers(0, 0xFFF),
    minor=st.integers(0, 0xFFFFF),
    xattrs=st.none() | st.dictionaries(st.sampled_from([b"user.a", b"trusted.b"]), st.binary(max_size=99), min_size=1),
)


@settings(deadline=None)
@given(_MEMBERS, _LINK, _PATH, st.integers(0, 1 << 45))
def test_a_member_goes_there_and_back(member: Member, link: bytes, target: bytes, size: int) -> None:
    if member.kind == SYMLINK:
        member.link = link
    elif member.kind == HARDLINK:
        member.link = target
    elif member.kind == FILE:
        member.size = size
    blocks = header(member)
    assert len(blocks) % 512 == 0
    if member.kind == FILE and size:
        scanner = Scanner(found := Collect())
        scanner.feed(blocks)
        (back,) = found.members
    else:
        (back,) = read(blocks + END)
    if member.kind == WHITEOUT:
        assert (back.kind, back.path) == (WHITEOUT, member.path)
        return
    compared = ["kind", "path", "mode", "uid", "gid", "size", "mtime", "nsec", "link", "xattrs"]
    compared += ["major", "minor"] if member.kind in (CHARACTER, BLOCK) else []
    assert {name: getattr(back, name) for name in compared} == {name: getattr(member, name) for name in compared}


def test_python_reads_what_we_write() -> None:
    long = b"/".join([b"n" * 90] * 3)
    data = header(Member(DIRECTORY, b"d", 0o1755, 5, 6, mtime=7)) + header(Member(FILE, long, 0o644, size=3))
    data += b"abc" + padding(3) + header(Member(SYMLINK, b"l", 0o777, link=b"t" * 200))
    data += header(Member(FILE, b"big", uid=1 << 31, mtime=1 << 40)) + header(Member(OPAQUE, b"d")) + END
    with tarfile.open(fileobj=io.BytesIO(data)) as found:
        members = {m.name: m for m in found}
        file = found.extractfile(long.decode())
        assert file is not None and file.read() == b"abc"
    assert members["d"].isdir() and (members["d"].mode, members["d"].uid, members["d"].mtime) == (0o1755, 5, 7)
    assert members["l"].linkname == "t" * 200
    assert (members["big"].uid, members["big"].mtime) == (1 << 31, 1 << 40)
    assert "d/.wh..wh..opq" in members


@pytest.mark.parametrize(
    ("path", "meaning"),
    [
        (b"a/.wh.b", (WHITEOUT, b"a/b")),
        (b".wh.b", (WHITEOUT, b"b")),
        (b".wh..hidden", (WHITEOUT, b".hidden")),
        (b"a/.wh..wh..opq", (OPAQUE, b"a")),
        (b".wh..wh..opq", (OPAQUE, b"")),
        (b".wh..wh.plnk", ("", b"")),
        (b".wh..wh.plnk/1.2", ("", b"")),
        (b"a/x.wh.b", None),
    ],
)
def test_names_that_mean_something(path: bytes, meaning: tuple[str, bytes] | None) -> None:
    assert read_name(path) == meaning
    if meaning is not None and meaning[0] == WHITEOUT:
        assert written_name(meaning[1]) == path
