"""Random tars: GNU tar, the one driver and the other agree."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardtack.store.layer.erofs.builder import ErofsBuilder
from hardtack.store.layer.kernel import mount_erofs
from hardtack.store.layer.overlay.builder import OverlayBuilder
from hardtack.store.layer.remove import remove_tree
from support import rawtar
from support.trees import differences, hard_links, snapshot
from support.world import take_down

_UNTAR = ["tar", "--xattrs", "--xattrs-include=*", "--numeric-owner", "--delay-directory-restore", "-xpf", "-"]
_NAMES = [b"a", b"b", b"c", b"!", b"-x", b".h", b"\xff", b"n" * 255, b"m" * 120]
_PATHS = st.lists(st.sampled_from(_NAMES), min_size=1, max_size=4).map(b"/".join)
_META = st.fixed_dictionaries(
    {
        "uid": st.sampled_from([0, 1000, 70_000, 4_000_000_000]),
        "gid": st.sampled_from([0, 5]),
        "mtime": st.integers(0, 1 << 33),
    }
)
_XATTRS = st.dictionaries(
    st.sampled_from([b"user.a", b"user.bb", b"trusted.c", b"security.d"]), st.binary(max_size=700), max_size=3
)
_FILE = st.tuples(st.just("file"), st.binary(max_size=1500), st.sampled_from([0o644, 0o4755, 0]), _XATTRS)
_DIRECTORY = st.tuples(st.just("directory"), st.sampled_from([0o755, 0o1777, 0o700]), _XATTRS)
_SYMLINK = st.tuples(st.just("symlink"), st.binary(min_size=1, max_size=600).filter(lambda t: b"\0" not in t))
_SPECIAL = st.tuples(st.just("special"), st.sampled_from([rawtar.CHAR, rawtar.BLOCKDEV, rawtar.FIFO]))
_LINK = st.tuples(st.just("link"), st.integers(0, 1000))
_ENTRIES = st.lists(st.tuples(_PATHS, st.one_of(_FILE, _DIRECTORY, _SYMLINK, _SPECIAL, _LINK), _META), max_size=25)


def build(entries: list[tuple[bytes, tuple[object, ...], dict[str, int]]]) -> bytes:
    """A tar in which parents come first, with members that make sense; what does not is left out."""
    members: list[bytes] = []
    kinds: dict[bytes, str] = {}
    for path, (kind, *rest), meta in entries:
        parents = [path[:i] for i, c in enumerate(path) if c == 0x2F]
        if any(kinds.get(parent, "directory") != "directory" for parent in parents):
            continue
        if path in kinds and not (kind == "directory" == kinds[path]):
            continue
        for parent in parents:
            if parent not in kinds:
                kinds[parent] = "directory"
                members.append(_named(parent) + rawtar.directory(b"x"))
        if kind == "link":
            files = sorted(name for name, what in kinds.items() if what in ("file", "symlink", "special"))
            if not files:
                continue
            target = files[rest[0] % len(files)]  # type: ignore[operator]
            kinds[path] = kinds[target]
            members.append(_named(path, linkpath=target) + rawtar.hardlink(b"x", b"y"))
            continue
        kinds[path] = str(kind)
        members.append(_member(path, str(kind), rest, meta))
    return rawtar.tar(*members)


def _named(path: bytes, xattrs: dict[bytes, bytes] | None = None, **others: bytes) -> bytes:
    records = [(b"path", path), *((key.encode(), value) for key, value in others.items())]
    records += [(b"SCHILY.xattr." + key, value) for key, value in (xattrs or {}).items()]
    return rawtar.pax(*records)


def _member(path: bytes, kind: str, rest: list[object], meta: dict[str, int]) -> bytes:
    if kind == "file":
        data, mode, xattrs = rest
        return _named(path, xattrs) + rawtar.file(b"x", data, mode=mode, **meta)  # type: ignore[arg-type]
    if kind == "directory":
        mode, xattrs = rest
        return _named(path, xattrs) + rawtar.directory(b"x", mode, **meta)  # type: ignore[arg-type]
    if kind == "symlink":
        return _named(path, linkpath=rest[0]) + rawtar.symlink(b"x", b"y", **meta)  # type: ignore[arg-type]
    return _named(path) + rawtar.header(b"x", rest[0], device=(7, 300), mode=0o640, **meta)  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(_ENTRIES)
def test_both_drivers_and_gnu_tar_agree(entries: list[tuple[bytes, tuple[object, ...], dict[str, int]]]) -> None:
    tar = build(entries)
    with tempfile.TemporaryDirectory(dir=os.environ.get("PYTEST_TMPDIR")) as name:
        base = Path(name)
        try:
            for driver in (ErofsBuilder, OverlayBuilder):
                where = base / driver.driver
                where.mkdir()
                builder = driver(str(where))
                for start in range(0, len(tar), 700):
                    builder.write(tar[start : start + 700])
                builder.seal("ab" * 32)
            (base / "erofs" / "fs").mkdir()
            mount_erofs("sha256:test", str(base / "erofs"), str(base / "erofs" / "fs"))
            (base / "gnu").mkdir()
            command = [*_UNTAR, "-C", str(base / "gnu")]
            subprocess.run(command, input=tar, check=True, capture_output=True)
            trees = [snapshot(base / "erofs" / "fs"), snapshot(base / "overlay" / "fs"), snapshot(base / "gnu")]
            for tree in trees:
                tree.pop(b".")
            assert differences(trees[0], trees[2]) == []
            assert differences(trees[1], trees[2]) == []
            links = [hard_links(base / place) for place in ("erofs/fs", "overlay/fs", "gnu")]
            assert links[0] == links[1] == links[2]
        finally:
            take_down(base)
            remove_tree(f"{base}/overlay")
