"""What the store asks of a disk: that bytes and names survive a loss of power, how much something takes, and whether
an error means "full".
"""

from __future__ import annotations

import errno
import os
import stat

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


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
    """The bytes that a file or a directory takes on disk, as `du` counts them: once per inode, links not followed.

    Whatever a stranger has nested stays cheap: one open directory at a time, no recursion, no long paths. What goes
    away meanwhile is not counted.
    """
    try:
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode):
            return status.st_blocks * 512
        here = os.open(path, _DIRECTORY)
    except OSError:
        return 0
    seen: set[tuple[int, int]] = set()
    total = status.st_blocks * 512
    try:
        found, below = _measure(here, seen)
        total += found
        above: list[tuple[int, list[str]]] = []  # inode of each directory on the way, and what is left to do there
        while below or above:
            if below:
                try:
                    there = os.open(below.pop(), _DIRECTORY, dir_fd=here)
                except OSError:
                    continue
                above.append((os.fstat(here).st_ino, below))
                found, below = _measure(there, seen)
                total += found
            else:
                inode, below = above.pop()
                there = os.open("..", _DIRECTORY, dir_fd=here)
                if os.fstat(there).st_ino != inode:  # somebody moved it from under us
                    above.clear()
                    below = []
            os.close(here)
            here = there
    finally:
        os.close(here)
    return total


def _measure(directory: int, seen: set[tuple[int, int]]) -> tuple[int, list[str]]:
    """Bytes of everything directly in a directory, and the names of the directories there."""
    total, below = 0, []
    with os.scandir(directory) as entries:
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISDIR(status.st_mode):
                below.append(entry.name)
            elif status.st_nlink > 1:
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
            total += status.st_blocks * 512
    return total, below
