"""Processes as the kernel names them: identity that survives the reuse of a pid, namespaces, descriptors, file locks.

A process is named by its pid, the tick at which it began and the boot; the pid alone may be somebody else's by now.
No policy: who waits for whom is decided above.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys

from hardtack.linux import libc

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
else:
    import _signal  # the package around it costs an enumeration, which costs as much as the interpreter's start

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36

_PIDFD_INFO_SIZE = 64
_PIDFD_INFO_EXIT = 1 << 3
_PIDFD_EXIT_OFFSET = 60
_PIDFD_GET_INFO = 0xC000_FF0B | _PIDFD_INFO_SIZE << 16

_MADV_DONTNEED = 4
_boot = ""


def start_ticks(pid: int) -> int | None:
    """The clock tick at which a process began, counted from boot.

    Returns:
        None when there is no such process, or it is a zombie that only waits to be reaped.
    Source: proc(5), /proc/pid/stat fields 3 and 22.
    """
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = os.read(descriptor, 4096)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESRCH):
            return None
        raise
    fields = text[text.rindex(b")") + 2 :].split()  # the name before may hold spaces and parentheses
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def boot_id() -> str:
    """What tells this boot of the kernel from every other. Source: random(4), boot_id."""
    global _boot
    if not _boot:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            _boot = file.read().strip()
    return _boot


def is_alive(pid: int, ticks: int, boot: str = "") -> bool:
    """Whether the very process that began at `ticks` (in that boot, when it is given) still runs."""
    if boot and boot != boot_id():
        return False
    return pid > 0 and start_ticks(pid) == ticks


def pidfd_open(pid: int) -> int:
    """A close-on-exec descriptor of a process, readable once it has ended. Source: pidfd_open(2)."""
    return os.pidfd_open(pid, 0)


def pidfd_send_signal(pidfd: int, number: int) -> None:
    """Signal exactly the process behind the descriptor. Source: pidfd_send_signal(2)."""
    _signal.pidfd_send_signal(pidfd, number)


def pidfd_exit_status(pidfd: int) -> int | None:
    """The wait status of a process that has ended and was collected, also for others than its parent.

    Returns:
        None when it was not collected yet, or by a kernel before 6.15, which does not keep it.
    Source: linux/pidfd.h, PIDFD_GET_INFO with PIDFD_INFO_EXIT.
    """
    info = bytearray(_PIDFD_INFO_SIZE)
    info[0:8] = _PIDFD_INFO_EXIT.to_bytes(8, sys.byteorder)
    try:
        fcntl.ioctl(pidfd, _PIDFD_GET_INFO, info)
    except OSError:
        return None
    if not int.from_bytes(info[0:8], sys.byteorder) & _PIDFD_INFO_EXIT:
        return None
    return int.from_bytes(info[_PIDFD_EXIT_OFFSET : _PIDFD_EXIT_OFFSET + 4], sys.byteorder)


def become_subreaper() -> None:
    """Orphans among our descendants become our children. Source: PR_SET_CHILD_SUBREAPER(2const)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(number: int = 9) -> None:
    """Have the kernel signal us when the thread that forked us ends. Source: PR_SET_PDEATHSIG(2const)."""
    _prctl(_PR_SET_PDEATHSIG, int(number))


def set_process_name(name: str) -> None:
    """The name that `ps` shows, cut after 15 bytes. Source: PR_SET_NAME(2const)."""
    libc.call("prctl", _PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def forget_text() -> None:
    """Unmap the pages of programs and libraries that this process has executed so far; those it needs again come back
    from the page cache. An idle process counts only what it really uses afterwards.

    Only text: pages of data may differ from the file. Source: madvise(2), MADV_DONTNEED on a private file mapping.
    """
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
        lines = file.readlines()
    for line in lines:
        fields = line.split(maxsplit=5)
        if len(fields) < 6 or fields[1] != "r-xp" or not fields[5].startswith("/"):
            continue
        start, end = (int(word, 16) for word in fields[0].split("-"))
        try:
            libc.call("madvise", libc.long(start), libc.long(end - start), _MADV_DONTNEED)
        except OSError:
            continue  # locked in memory


def setns(descriptor: int, kind: int = 0) -> None:
    """Enter the namespace behind a descriptor. Source: setns(2).

    Args:
        kind: CLONE_NEW… that it has to be, 0 for any.
    """
    libc.call("setns", descriptor, kind)


def unshare(flags: int) -> None:
    """Leave shared namespaces for new ones. Source: unshare(2)."""
    libc.call("unshare", flags)


def close_descriptors(keep: tuple[int, ...] | list[int] = (0, 1, 2)) -> None:
    """Close every descriptor of this process that is not in `keep`."""
    low = 0
    for descriptor in sorted(set(keep)):
        if descriptor > low:
            os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, _highest_descriptor() + 1)


class Lock:
    """An exclusive lock between processes and threads on a file that stays; released by death too.

    Use it as a with-block, or `acquire` and `release`. It does not nest.
    """

    __slots__ = ("_descriptor", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor = -1

    def acquire(self, wait: bool = True) -> bool:
        """Take the lock. Returns False when `wait` is false and somebody else holds it. Source: flock(2)."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back. A forked child that inherited it holds it too, until it closes its copy."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def fileno(self) -> int:
        """The descriptor that carries the lock, -1 while it is not held."""
        return self._descriptor

    def __enter__(self) -> Lock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def flock_holder(device: int, inode: int) -> int | None:
    """The process that took the exclusive lock on a file, None when nobody has or the kernel does not tell.

    Source: proc_locks(5); flock(2).
    """
    wanted = f"{os.major(device):02x}:{os.minor(device):02x}:{inode}"
    try:
        with open("/proc/locks", encoding="ascii", errors="replace") as file:
            rows = [line.split() for line in file]
    except OSError:
        return None
    for row in rows:  # 1: FLOCK ADVISORY WRITE 1234 fe:01:12345 0 EOF; a waiter has "->" after the number
        if row[1:4] == ["FLOCK", "ADVISORY", "WRITE"] and row[5] == wanted and int(row[4]) > 0:
            return int(row[4])
    return None


def _highest_descriptor() -> int:
    return max((int(name) for name in os.listdir("/proc/self/fd")), default=2)


def _prctl(option: int, value: int) -> None:
    libc.call("prctl", option, value, 0, 0, 0)
