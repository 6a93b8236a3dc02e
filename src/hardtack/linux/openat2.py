"""Opening a path that somebody else chose, without leaving a directory: openat2(2), Linux 5.6.

Promises that neither `..`, an absolute path, a symbolic link nor a magic link leads outside the directory.
"""

from __future__ import annotations

import errno
import os
import sys

from hardtack.linux import libc

_OPENAT2 = 437
RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10


def open_in_root(dirfd: int, path: str | bytes, flags: int, mode: int = 0) -> int:
    """Open `path` as a process would whose root directory is `dirfd`: links and `..` stay inside.

    Args:
        dirfd: the directory that acts as "/".
        path: absolute or relative, both start at `dirfd`.
        flags: O_… bits; O_CLOEXEC is added.
        mode: of a file that O_CREAT makes.
    Returns:
        A descriptor.
    Raises:
        OSError: as open(2).
    """
    return openat2(dirfd, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)


def open_beneath(dirfd: int, path: str | bytes, flags: int, mode: int = 0) -> int:
    """Open `path` below `dirfd`, no symbolic link allowed anywhere in it.

    Raises:
        OSError: ELOOP for a link, EXDEV for an absolute path or one that climbs out, else as open(2).
    """
    return openat2(dirfd, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)


def openat2(dirfd: int, path: str | bytes, flags: int, mode: int, resolve: int) -> int:
    """The system call itself, O_CLOEXEC added, repeated while a concurrent rename makes the kernel unsure."""
    flags |= os.O_CLOEXEC
    mode = mode if flags & os.O_CREAT else 0  # the call refuses a mode without O_CREAT
    how = b"".join([value.to_bytes(8, sys.byteorder) for value in (flags, mode, resolve)])
    name = os.fsencode(path)
    for _ in range(64):
        try:
            return libc.syscall(_OPENAT2, dirfd, name, how, len(how), path=path)
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), path)
