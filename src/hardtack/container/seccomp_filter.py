"""Compile a seccomp profile once, through libseccomp, into the bytes that the kernel takes.

A runtime that compiles it anew for every container spends most of its time on that (24 of 36 ms, crun 1.8.1 with
three architectures); one that accepts the finished filter is given it. Not on the start path: the result is kept.

Source: seccomp_rule_add(3), seccomp_export_bpf(3), crun(1) "run.oci.seccomp_bpf_data".
"""

from __future__ import annotations

import ctypes
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OPERATORS = {
    "SCMP_CMP_NE": 1,
    "SCMP_CMP_LT": 2,
    "SCMP_CMP_LE": 3,
    "SCMP_CMP_EQ": 4,
    "SCMP_CMP_GE": 5,
    "SCMP_CMP_GT": 6,
    "SCMP_CMP_MASKED_EQ": 7,
}
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_NO_SUCH_CALL = -1
_OPTIMIZE = 8  # SCMP_FLTATR_CTL_OPTIMIZE; 2 is a binary tree
_EEXIST, _EFAULT = 17, 14
_LIBRARIES = ("libseccomp.so.2", "libseccomp.so")


class _Argument(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def compile_filter(profile: dict[str, Any]) -> str:
    """The filter of an OCI seccomp object, in base64.

    Returns:
        Nothing when libseccomp is not here or does not take the profile; the runtime compiles it then.
    """
    library = _load()
    if library is None:
        return ""
    context = library.seccomp_init(_action(profile["defaultAction"], profile.get("defaultErrnoRet", 1)))
    if not context:
        return ""
    try:
        _fill(library, context, profile)
        return _export(library, context)
    except (OSError, KeyError):
        return ""
    finally:
        library.seccomp_release(context)


def _load() -> Any:
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.seccomp_init.restype = ctypes.c_void_p
        library.seccomp_init.argtypes = [ctypes.c_uint32]
        library.seccomp_release.argtypes = [ctypes.c_void_p]
        library.seccomp_release.restype = None
        library.seccomp_arch_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
        library.seccomp_arch_resolve_name.restype = ctypes.c_uint32
        library.seccomp_attr_set.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32]
        library.seccomp_rule_add_array.argtypes = [
            ctypes.c_void_p,
            ctypes.c_uint32,
            ctypes.c_int,
            ctypes.c_uint,
            ctypes.POINTER(_Argument),
        ]
        library.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
        return library
    return None


def _fill(library: Any, context: int, profile: dict[str, Any]) -> None:
    for name in profile.get("architectures") or ():
        token = library.seccomp_arch_resolve_name(name.removeprefix("SCMP_ARCH_").lower().encode())
        result = library.seccomp_arch_add(context, token)
        if result not in (0, -_EEXIST):
            raise OSError(-result, name)
    library.seccomp_attr_set(context, _OPTIMIZE, 2)  # libseccomp before 2.5 has no tree: a list, then
    default = _action(profile["defaultAction"], profile.get("defaultErrnoRet", 1))
    for rule in profile["syscalls"]:
        action = _action(rule["action"], rule.get("errnoRet", 1))
        if action == default:
            continue
        arguments = rule.get("args") or ()
        array = (_Argument * max(len(arguments), 1))()
        for slot, argument in zip(array, arguments, strict=False):
            slot.arg, slot.op = argument["index"], _OPERATORS[argument["op"]]
            slot.a, slot.b = argument["value"], argument.get("valueTwo", 0)
        for name in rule["names"]:
            number = library.seccomp_syscall_resolve_name(name.encode())
            if number == _NO_SUCH_CALL:
                continue  # newer than this libseccomp: it stays refused, as every runtime has it
            result = library.seccomp_rule_add_array(context, action, number, len(arguments), array)
            if result not in (0, -_EEXIST, -_EFAULT):
                raise OSError(-result, name)


def _action(name: str, number: int) -> int:
    return {"SCMP_ACT_ALLOW": _ALLOW, "SCMP_ACT_ERRNO": _ERRNO | (number & 0xFFFF)}[name]


def _export(library: Any, context: int) -> str:
    from binascii import b2a_base64

    descriptor = os.memfd_create("filter", os.MFD_CLOEXEC)
    try:
        result = library.seccomp_export_bpf(context, descriptor)
        if result != 0:
            raise OSError(-result, "seccomp_export_bpf")
        return b2a_base64(os.pread(descriptor, 1 << 20, 0), newline=False).decode("ascii")
    finally:
        os.close(descriptor)
