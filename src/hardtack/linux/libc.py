"""The C library through ctypes: one handle, and failures as `OSError` with the kernel's errno.

Promises that a failing call raises and that nothing is loaded before the first call. It knows no system call by
meaning; the modules beside it do.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ctypes
    from typing import Any

_handle: ctypes.CDLL | None = None


def handle() -> ctypes.CDLL:
    """The C library this process runs on, loaded once, keeping errno per thread."""
    global _handle
    if _handle is None:
        import ctypes

        _handle = ctypes.CDLL(None, use_errno=True)
    return _handle


def call(name: str, *arguments: Any, path: str | bytes | None = None) -> int:
    """Call a function of the C library that answers -1 on failure.

    Args:
        name: the function.
        arguments: int, bytes (a C string) or ctypes values; wider integers must come as ctypes types.
        path: what the call is about, for the error.
    Returns:
        What the function returned, 0 or more.
    Raises:
        OSError: it returned a negative number; errno tells why.
    """
    import ctypes

    result: int = getattr(handle(), name)(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return result


def syscall(number: int, *arguments: Any, path: str | bytes | None = None) -> int:
    """Make a system call that the C library may have no function for.

    Args:
        number: its number; calls from 424 on have the same one on every architecture.
        arguments: as for `call`; plain ints are passed at full register width.
        path: what the call is about, for the error.
    Returns:
        The kernel's answer, 0 or more.
    Raises:
        OSError: the kernel refused; errno tells why.
    """
    import ctypes

    wide = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    function = handle().syscall
    function.restype = ctypes.c_long
    result: int = function(ctypes.c_long(number), *wide)
    if result < 0:
        failed = ctypes.get_errno()
        raise OSError(failed, os.strerror(failed), path)
    return result
