"""What the store asks of a disk: that bytes and names survive a loss of power, how much something takes, whether an
error means "full", and to remove a tree.
"""

from __future__ import annotations

import errno
import os


def sync_path(path: str) -> None:
    """Make a file's bytes, or the names in a directory, survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_full(error: BaseException) -> bool:
    """Whether an error, of the file system or of SQLite, says that there is no room left."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return type(error).__name__ == "OperationalError" and "full" in str(error)


def disk_size(path: str) -> int:
    """The bytes that a file takes on disk, 0 when there is none."""
    try:
        return os.lstat(path).st_blocks * 512
    except OSError:
        return 0


def tree_size(path: str) -> int:
    """The bytes that a file or a directory takes on disk, counted as `du` does, once per inode."""
    seen: set[tuple[int, int]] = set()
    return _tree_size(path, seen)


def _tree_size(path: str, seen: set[tuple[int, int]]) -> int:
    try:
        status = os.lstat(path)
    except OSError:
        return 0
    if status.st_nlink > 1 and not os.path.isdir(path):
        if (status.st_dev, status.st_ino) in seen:
            return 0
        seen.add((status.st_dev, status.st_ino))
    total = status.st_blocks * 512
    if status.st_mode & 0o170000 == 0o040000:
        try:
            with os.scandir(path) as entries:
                names = [entry.path for entry in entries]
        except OSError:
            return total
        total += sum(_tree_size(name, seen) for name in names)
    return total


def remove_tree(path: str) -> None:
    """Remove a file or a directory with all below it; what is gone already is no failure."""
    import shutil

    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
        return
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
