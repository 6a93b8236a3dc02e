"""The C library through ctypes: one handle, and failures as `OSError` with the kernel's errno.

Promises that a failing call raises and that nothing is loaded before the first call. It knows no system call by
meaning; the modules beside it do. Only the C part of ctypes is used: the package around it costs 3 ms of every start.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_functions: dict[str, Any] = {}


def call(name: str, *arguments: Any, path: str | bytes | None = None) -> int:
    """Call a function of the C library that answers -1 on failure.

    Args:
        name: the function.
        arguments: int, None (a null pointer), bytes (a C string), `long` or ctypes values; wider integers must come as
            one of these.
        path: what the call is about, for the error.
    Returns:
        What the function returned, 0 or more.
    Raises:
        OSError: it returned a negative number; errno tells why.
    """
    function = _functions.get(name) or _find(name)
    result: int = function(*arguments)
    if result < 0:
        _fail(path)
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
    function = _functions.get("syscall") or _find("syscall")
    wide = [long(value) if type(value) is int else value for value in arguments]
    result: int = function(long(number), *wide)
    if result < 0:
        _fail(path)
    return result


def long(value: int) -> Any:
    """An integer as wide as a register, signed or not."""
    if "long" not in _functions:
        _prepare()
    return _functions["long"](value)


def _fail(path: str | bytes | None) -> None:
    import _ctypes

    number = _ctypes.get_errno()
    raise OSError(number, os.strerror(number), path)


def _find(name: str) -> Any:
    """A function of the C library; every one answers an int, `syscall` a long."""
    if "long" not in _functions:
        _prepare()
    import _ctypes

    c: Any = _ctypes
    make = _functions["wide function" if name == "syscall" else "function"]
    found = _functions[name] = make(c.dlsym(c.dlopen(None, 0), name))
    return found


def _prepare() -> None:
    """Make the types that calls need, as ctypes makes its own."""
    import _ctypes

    c: Any = _ctypes

    class Int(c._SimpleCData):  # type: ignore[misc]
        _type_ = "i"

    class Long(c._SimpleCData):  # type: ignore[misc]
        _type_ = "l"

    class Function(c.CFuncPtr):  # type: ignore[misc]
        _flags_ = c.FUNCFLAG_CDECL | c.FUNCFLAG_USE_ERRNO
        _restype_ = Int

    class WideFunction(c.CFuncPtr):  # type: ignore[misc]
        _flags_ = c.FUNCFLAG_CDECL | c.FUNCFLAG_USE_ERRNO
        _restype_ = Long

    _functions.update({"long": Long, "function": Function, "wide function": WideFunction})
