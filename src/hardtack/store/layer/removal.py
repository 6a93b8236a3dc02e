"""Layers going away: one that the collector gave up, and what deaths have left behind.

A directory first loses its name, inside a transaction that sees no row and no user, and is emptied afterwards; so no
mount ever finds half a layer. Hidden names are .new-… while a layer is being written and .gone-… while one goes.
"""

from __future__ import annotations

import fcntl
import os
import stat

from hardtack.linux import openat2
from hardtack.store.layer import brief, mounting
from hardtack.store.layer.remove import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardtack.store.root import Root

NEW = ".new-"
GONE = ".gone-"


def remove_layer(root: Root, diff_id: str) -> bool:
    """Remove a layer's files unless it has a row or a user. Returns whether they went."""
    path = mounting.layer_path(root, diff_id)
    if not os.path.isdir(path):
        return False
    hidden = f"{root.path}/layers/{GONE}{os.urandom(8).hex()}"
    with root.transaction() as db:
        if db.execute("SELECT 1 FROM layer WHERE diff_id = ?", (diff_id,)).fetchone():
            return False
        if mounting.holders(root, diff_id):
            return False
        try:
            os.rename(path, hidden)
        except FileNotFoundError:  # another collection was here between our look and our transaction
            return False
    mounting.unmount_idle(root, [diff_id.partition(":")[2]])
    remove_tree(hidden)
    return True


def sweep(root: Root) -> Iterator[tuple[str, int]]:
    """Remove brief mounts and unfinished layers of the dead, layers half removed, and layers without a row."""
    yield from brief.sweep(root)
    base = f"{root.path}/layers"
    for name in _names(base):
        if name.startswith((NEW, GONE)) and (size := _remove_abandoned(f"{base}/{name}")) is not None:
            yield f"layers/{name}", size
    known = {row[0] for row in root.db.execute("SELECT diff_id FROM layer")}
    for algorithm in _names(base):
        for digits in _names(f"{base}/{algorithm}") if not algorithm.startswith(".") else ():
            diff_id = f"{algorithm}:{digits}"
            if diff_id not in known:
                try:
                    size = size_of(f"{base}/{algorithm}/{digits}")
                except FileNotFoundError:  # another collection is at it
                    continue
                if remove_layer(root, diff_id):
                    yield f"layers/{algorithm}/{digits}", size


def size_of(path: str) -> int:
    """The bytes that a directory takes on disk, once per inode, however deep it is."""
    total, seen = 0, set()
    root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        pending = [b"."]
        while pending:
            current = pending.pop()
            here = openat2.open_beneath(root, current, os.O_RDONLY | os.O_DIRECTORY)
            try:
                total += os.fstat(here).st_blocks * 512
                for name in map(os.fsencode, os.listdir(here)):
                    status = os.stat(name, dir_fd=here, follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        pending.append(current + b"/" + name)
                    elif status.st_nlink == 1 or status.st_ino not in seen:
                        seen.add(status.st_ino)
                        total += status.st_blocks * 512
            finally:
                os.close(here)
    finally:
        os.close(root)
    return total


def _remove_abandoned(path: str) -> int | None:
    """Remove a hidden directory that no writer holds; returns its size, None when one does or it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        size = size_of(path)
        remove_tree(path)
    except (BlockingIOError, FileNotFoundError):
        return None
    finally:
        os.close(descriptor)
    return size


def _names(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return []
