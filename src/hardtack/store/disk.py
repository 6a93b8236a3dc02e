"""What the store asks of a disk: that bytes and names survive a loss of power, and whether an error means "full"."""

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
