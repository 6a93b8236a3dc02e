"""Extended attributes of a file as a dictionary, read without following a link.

Promises that an attribute that vanishes meanwhile, or a file system without any, is no error.
"""

from __future__ import annotations

import errno
import os

_ABSENT = (errno.ENODATA, errno.ENOTSUP, errno.EPERM, errno.ENOSYS)


def read_all(path: str | bytes | int) -> dict[bytes, bytes]:
    """Every extended attribute that this process may see.

    Args:
        path: a path (a final link is not followed) or an open descriptor.
    Returns:
        Name with its namespace to value, in the order of the kernel.
    """
    follow = isinstance(path, int)
    found: dict[bytes, bytes] = {}
    try:
        names = os.listxattr(path, follow_symlinks=follow)
    except OSError as error:
        if error.errno in _ABSENT:
            return found
        raise
    for name in names:
        value = get(path, name)
        if value is not None:
            found[os.fsencode(name)] = value
    return found


def get(path: str | bytes | int, name: str) -> bytes | None:
    """One attribute, or None when the file has it not. A final link is not followed."""
    try:
        return os.getxattr(path, name, follow_symlinks=isinstance(path, int))
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise
