"""Look for a process's program before the OCI runtime does, where its complaint would land on the user's own streams.

The answers are docker's: 127 not found, 126 not runnable. What passes may still be refused by the kernel.
"""

from __future__ import annotations

import errno
import os
import stat

from hardtack.container.errors import StartFailed
from hardtack.linux.openat2 import open_in_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_ABSENT = "no such file or directory"
_NOWHERE = "executable file not found in $PATH"
_HEAD = 4096
_PT_INTERP = 3
_DEFAULT = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def check_command(
    rootfs: int,
    command: str,
    environment: Sequence[str],
    directory: str,
    doing: str,
    mounts: Sequence[str] = (),
) -> None:
    """See that a command can be run inside a root file system.

    Args:
        rootfs: a descriptor of its directory.
        command: the first word; with a slash it is a path, else it is sought in PATH.
        directory: the working directory, where a relative path begins.
        doing: for the message, such as "run" or "exec in web".
        mounts: where something will be mounted that `rootfs` does not show yet; what lies there is left to the runtime.
    Raises:
        StartFailed: with exit code 126 or 127.
    """
    if "/" in command:
        path = command if command.startswith("/") else f"{directory}/{command}"
        reason = _refusal(rootfs, path, mounts)
    else:
        path_list = next((entry[5:] for entry in environment if entry.startswith("PATH=")), _DEFAULT)
        reason = _search(rootfs, command, [place or directory for place in path_list.split(":")], mounts)
    if reason:
        code = 127 if reason.startswith((_ABSENT, _NOWHERE)) else 126
        raise StartFailed(f'cannot {doing}: exec: "{command}": {reason}', code)


def _search(rootfs: int, command: str, places: Sequence[str], mounts: Sequence[str]) -> str:
    """Why a name is no program in any of the places, or nothing as soon as it is one."""
    found = _NOWHERE
    for place in places:
        reason = _refusal(rootfs, f"{place}/{command}", mounts)
        if not reason:
            return ""
        if reason != _ABSENT:
            found = reason
    return found


def _refusal(rootfs: int, path: str, mounts: Sequence[str]) -> str:
    """Why a path is no program, or nothing."""
    if mounts and _is_covered(rootfs, path, mounts):
        return ""
    try:
        descriptor = open_in_root(rootfs, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            return _ABSENT
        return (error.strerror or str(error)).lower()
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            return "is a directory"
        if not stat.S_ISREG(mode) or not mode & 0o111:
            return "permission denied"
        interpreter = interpreter_of(os.pread(descriptor, _HEAD, 0))
    finally:
        os.close(descriptor)
    if not interpreter:
        return ""
    if mounts and _is_covered(rootfs, interpreter, mounts):
        return ""
    try:
        os.close(open_in_root(rootfs, interpreter, os.O_PATH))
    except OSError:
        return f"{_ABSENT}: its interpreter {interpreter} is not in the image"
    return ""


def interpreter_of(head: bytes) -> str:
    """The program that the kernel starts for a program: of a script's first line, or the loader of an ELF file.

    Args:
        head: how the file begins.
    Returns:
        An absolute path, or nothing where there is none or it cannot be told.
    Source: execve(2), elf(5).
    """
    if head[:2] == b"#!":
        words = head[2:].partition(b"\n")[0].split()
        path = words[0] if words and b"\n" in head else b""
    elif head[:6] == b"\x7fELF\x02\x01":  # 64 bits, little-endian
        path = _loader(head)
    else:
        path = b""
    return os.fsdecode(path) if path.startswith(b"/") and b"\0" not in path else ""


def _loader(head: bytes) -> bytes:
    def number(start: int, size: int) -> int:
        return int.from_bytes(head[start : start + size], "little")

    table, size, count = number(32, 8), number(54, 2), number(56, 2)
    for position in range(table, min(table + size * count, len(head) - 56), size or 1):
        if number(position, 4) == _PT_INTERP:
            start, length = number(position + 8, 8), number(position + 32, 8)
            return head[start : start + length].rstrip(b"\0") if start + length <= len(head) else b""
    return b""


def _is_covered(rootfs: int, path: str, mounts: Sequence[str]) -> bool:
    """Whether a path lies at or below a mount, as it is written or by where its directory's links lead."""
    written = os.path.normpath("/" + path.lstrip("/"))
    if _is_below(written, mounts):
        return True
    try:
        descriptor = open_in_root(rootfs, os.path.dirname(written), os.O_PATH)
    except OSError:
        return False
    try:
        place = os.readlink(f"/proc/self/fd/{descriptor}")
        top = os.readlink(f"/proc/self/fd/{rootfs}")
    finally:
        os.close(descriptor)
    return _is_below(f"{place.removeprefix(top)}/{os.path.basename(written)}", mounts)


def _is_below(path: str, mounts: Sequence[str]) -> bool:
    return any(path == place or path.startswith(f"{place.rstrip('/')}/") for place in mounts)
