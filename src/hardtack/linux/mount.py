"""Mounting and unmounting: mount(2), the newer file system contexts (fsopen …), and the table of mounts.

Promises that a failure is an `OSError` whose text holds what the kernel had to say, including the message that a file
system leaves in its context. Which file system goes where is decided elsewhere.
"""

from __future__ import annotations

import errno
import os

from hardtack.linux import libc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_NOATIME = 0x400
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_UNBINDABLE = 0x20000
MS_PRIVATE = 0x40000
MS_SLAVE = 0x80000
MS_SHARED = 0x100000
MNT_FORCE = 0x1
MNT_DETACH = 0x2
UMOUNT_NOFOLLOW = 0x8

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOATIME = 0x10

# Numbers from the kernel's include/uapi/asm-generic/unistd.h; the same on every architecture since 5.2.
_MOVE_MOUNT, _FSOPEN, _FSCONFIG, _FSMOUNT = 429, 430, 431, 432
_FSOPEN_CLOEXEC = _FSMOUNT_CLOEXEC = 1
_SET_FLAG, _SET_STRING, _CMD_CREATE = 0, 1, 6
_MOVE_MOUNT_F_EMPTY_PATH = 0x4
_AT_FDCWD = -100


def mount(source: str | None, target: str, fstype: str | None = None, flags: int = 0, data: str | None = None) -> None:
    """Mount by mount(2).

    Args:
        source: device, directory or any word, as the file system wants it.
        target: an existing path.
        fstype: None where flags make it meaningless (MS_BIND, MS_REMOUNT, propagation).
        flags: MS_… bits.
        data: options of the file system, at most 4,095 bytes.
    Raises:
        OSError: the kernel refused; `filename` is the target.
    """
    libc.call("mount", _c(source), _c(target), _c(fstype), libc.long(flags), _c(data), path=target)


def umount(target: str, flags: int = 0) -> None:
    """Unmount what is on top at `target` by umount2(2).

    Raises:
        OSError: EINVAL when nothing is mounted there, EBUSY when in use without MNT_DETACH.
    """
    libc.call("umount2", _c(target), flags, path=target)


def create(fstype: str, options: Iterable[tuple[str, str | None]], attributes: int = 0) -> int:
    """Make a mount that is attached nowhere yet, by fsopen(2), fsconfig(2) and fsmount(2), Linux 5.2.

    Args:
        fstype: the file system.
        options: (key, value) in order; a value of None sets a flag; keys and values at most 255 bytes.
        attributes: MOUNT_ATTR_… bits of the mount itself.
    Returns:
        A close-on-exec descriptor of the mount; closing it without `attach` undoes everything.
    Raises:
        OSError: the kernel refused; the text ends with what the file system said.
    """
    context = libc.syscall(_FSOPEN, _c(fstype), _FSOPEN_CLOEXEC, path=fstype)
    try:
        for key, value in options:
            command = _SET_FLAG if value is None else _SET_STRING
            libc.syscall(_FSCONFIG, context, command, _c(key), _c(value), 0, path=value or key)
        libc.syscall(_FSCONFIG, context, _CMD_CREATE, None, None, 0, path=fstype)
        return libc.syscall(_FSMOUNT, context, _FSMOUNT_CLOEXEC, attributes, path=fstype)
    except OSError as error:
        said = _complaints(context)
        if said:
            raise OSError(error.errno, f"{error.strerror}: {said}", error.filename) from None
        raise
    finally:
        os.close(context)


def attach(mount_fd: int, target: str) -> None:
    """Put a mount made by `create` at an existing path, by move_mount(2)."""
    flags = _MOVE_MOUNT_F_EMPTY_PATH
    libc.syscall(_MOVE_MOUNT, mount_fd, b"", _AT_FDCWD, _c(target), flags, path=target)


class Mount:
    """One line of /proc/self/mountinfo, its paths unescaped. Source: proc_pid_mountinfo(5)."""

    __slots__ = ("fstype", "id", "options", "parent", "root", "source", "super_options", "target")

    def __init__(self, line: str) -> None:
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        fstype, source, super_options = [*right.split(" "), "", ""][:3]
        self.id = int(fields[0])
        self.parent = int(fields[1])
        self.root = _unescape(fields[3])
        self.target = _unescape(fields[4])
        self.options = fields[5]
        self.fstype = fstype
        self.source = _unescape(source)
        self.super_options = _unescape(super_options)


def mounts(under: str = "") -> Iterator[Mount]:
    """The mounts that this process sees, in the kernel's order, lower ones of a stack first.

    Args:
        under: only those at this path or below it.
    """
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        lines = table.read().splitlines()
    below = under.rstrip("/") + "/"
    for line in lines:
        entry = Mount(line)
        if not under or entry.target == under or entry.target.startswith(below):
            yield entry


def is_mounted(target: str) -> bool:
    """Whether a file system of its own is visible at `target`; a bind mount of the parent's goes unseen."""
    try:
        return os.stat(target).st_dev != os.stat(os.path.dirname(target)).st_dev
    except FileNotFoundError:
        return False


def unmount_all(under: str) -> None:
    """Detach everything mounted at or below a path, the last mounted first; what has gone meanwhile is no error."""
    for entry in reversed(list(mounts(under))):
        try:
            umount(entry.target, MNT_DETACH | UMOUNT_NOFOLLOW)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOENT):
                raise


def _c(text: str | None) -> bytes | None:
    return None if text is None else os.fsencode(text)


def _complaints(context: int) -> str:
    """The messages in a file system context; each read returns one, "e text" for an error."""
    said = []
    try:
        while message := os.read(context, 8192):
            said.append(message.decode(errors="replace").strip().partition(" ")[2])
    except OSError:  # ENODATA: no more
        pass
    return "; ".join(said)


def _unescape(field: str) -> str:
    if "\\" not in field:
        return field
    head, *rest = field.split("\\")
    return head + "".join(chr(int(piece[:3], 8)) + piece[3:] for piece in rest)
