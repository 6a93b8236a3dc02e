"""What the files of a context hash to: content, names, kinds and permissions; never times, nor owners in a context.

A file's content is read once: its hash is remembered by device, inode, size and both times, which change whenever
the content does. One that changed so recently that the clock could not tell is hashed again next time.
"""

from __future__ import annotations

import os
import stat
import time

from hardtack.build.context.select import Found, Item, Selection
from hardtack.build.errors import ContextError
from hardtack.build.keys import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.build.context.tree import Tree
    from hardtack.store.root import Root

_CHUNK = 1 << 20
_CLOCK = 100_000_000  # nanoseconds within which two writes may get the same time
_DAY = 86_400
_KEPT = 60 * _DAY


class FileHashes:
    """The hashes of files, remembered in a root between builds. One per thread."""

    __slots__ = ("_fresh", "_now", "_root", "_seen")

    def __init__(self, root: Root) -> None:
        self._root = root
        self._now = time.time()
        self._fresh: list[tuple[Any, ...]] = []
        self._seen: list[tuple[float, int, int]] = []

    def of(self, tree: Tree, found: Found) -> bytes:
        """The SHA-256 of a regular file's content.

        Raises:
            ContextError: it changed while it was read, or cannot be read.
        """
        if tree.owned:  # the inodes of a mounted stage mean nothing later
            return self._read(tree, found)
        status = found.stat
        key = (status.st_dev, status.st_ino)
        row = self._root.db.execute(
            "SELECT size, mtime, ctime, sha256, used FROM build_file WHERE device = ? AND inode = ?", key
        ).fetchone()
        if row is not None and row[:3] == (status.st_size, status.st_mtime_ns, status.st_ctime_ns):
            if self._now - row[4] > _DAY:
                self._seen.append((self._now, *key))
            known: bytes = row[3]
            return known
        begun = time.time_ns()
        digest = self._read(tree, found)
        if begun - status.st_ctime_ns > _CLOCK:
            self._fresh.append((*key, status.st_size, status.st_mtime_ns, status.st_ctime_ns, digest, self._now))
        return digest

    def _read(self, tree: Tree, found: Found) -> bytes:
        import hashlib

        running = hashlib.sha256()
        descriptor = open_unchanged(tree, found)
        try:
            while chunk := os.read(descriptor, _CHUNK):
                running.update(chunk)
            check_unchanged(tree, found, os.fstat(descriptor))
        finally:
            os.close(descriptor)
        return running.digest()

    def remember(self) -> None:
        """Write what was learnt; nothing is lost but time when this is not reached."""
        if not self._fresh and not self._seen:
            return
        with self._root.transaction() as db:
            db.executemany("INSERT OR REPLACE INTO build_file VALUES (?, ?, ?, ?, ?, ?, ?)", self._fresh)
            db.executemany("UPDATE build_file SET used = ? WHERE device = ? AND inode = ?", self._seen)
            db.execute("DELETE FROM build_file WHERE used < ?", (self._now - _KEPT,))
        self._fresh, self._seen = [], []


def open_unchanged(tree: Tree, found: Found) -> int:
    """Open a file that was selected before.

    Raises:
        ContextError: it is not the one that was selected any more, or may not be read.
    """
    try:
        descriptor = tree.open(found.path)
    except OSError as error:
        raise ContextError(found.path, (error.strerror or str(error)).lower(), "", tree.name) from None
    try:
        check_unchanged(tree, found, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def check_unchanged(tree: Tree, found: Found, now: os.stat_result) -> None:
    """Make sure that a file of the context is what it was when it was selected.

    Raises:
        ContextError: it was changed meanwhile.
    """
    before = found.stat
    if tree.owned:  # nobody else changes a stage's files; overlayfs may tell another inode of the same file
        same = (before.st_size, before.st_mtime_ns) == (now.st_size, now.st_mtime_ns)
    else:
        same = (before.st_ino, before.st_size, before.st_mtime_ns, before.st_ctime_ns) == (
            now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns,
        )  # fmt: skip
    if not same:
        raise ContextError(found.path, "it was changed while it was being read", "Build again when nothing writes it")


def digest_of(tree: Tree, selection: Selection, hashes: FileHashes) -> str:
    """One hash over everything selected, in the order of the sources.

    Args:
        tree: where it was selected from; its owners count when it is a stage.
    """
    running = sha256()
    for item in selection.items:
        running.update(f"item\0{item.name}\0{item.is_folder:d}\0".encode("utf-8", "surrogateescape"))
        for found in [*(item.parents or ()), item.top, *item.below]:
            running.update(_line(tree, found, item, hashes))
    return str(running.hexdigest())


def _line(tree: Tree, found: Found, item: Item, hashes: FileHashes) -> bytes:
    status = found.stat
    mode = status.st_mode
    if found is item.top and item.is_folder and not tree.owned:
        facts = ["d"]  # its content is copied into a folder with permissions of its own
    else:
        facts = [f"{stat.S_IFMT(mode):o}", f"{stat.S_IMODE(mode):o}"]
    if tree.owned:
        facts += [str(status.st_uid), str(status.st_gid)]
    if stat.S_ISREG(mode):
        facts.append(hashes.of(tree, found).hex())
        if tree.owned:
            facts += [f"{name}={value.hex()}" for name, value in sorted(tree.attributes(found.path).items())]
    elif stat.S_ISLNK(mode):
        facts.append(tree.read_link(found.path))
    elif stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        facts.append(str(status.st_rdev))
    return ("\0".join([found.inside, *facts]) + "\0\n").encode("utf-8", "surrogateescape")
