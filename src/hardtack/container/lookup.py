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
        reasons = {_refusal(rootfs, f"{place or directory}/{command}", mounts) for place in path_list.split(":")}
        reason = "" if "" in reasons else next((text for text in reasons if text != _ABSENT), _ABSENT)
        if reason == _ABSENT:
            reason = "executable file not found in $PATH"
    if reason:
        code = 127 if reason in (_ABSENT, "executable file not found in $PATH") else 126
        raise StartFailed(f'cannot {doing}: exec: "{command}": {reason}', code)


_ABSENT = "no such file or directory"


def _refusal(rootfs: int, path: str, mounts: Sequence[str]) -> str:
    """Why a path is no program, or nothing."""
    if mounts and _is_covered(rootfs, path, mounts):
        return ""
    try:
        descriptor = open_in_root(rootfs, path, os.O_PATH)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            return _ABSENT
        return (error.strerror or str(error)).lower()
    try:
        mode = os.fstat(descriptor).st_mode
    finally:
        os.close(descriptor)
    if stat.S_ISDIR(mode):
        return "is a directory"
    return "" if stat.S_ISREG(mode) and mode & 0o111 else "permission denied"


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
