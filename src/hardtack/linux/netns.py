"""Network namespaces, held by descriptor and never by a name in the file system.

A namespace lives as long as a process is in it or a descriptor of it is open, so a killed process leaves nothing.
Whatever enters one leaves it again: only the calling thread moves, and it comes back or the process ends.
"""

from __future__ import annotations

import os

from hardtack.linux.process import setns, unshare

CLONE_NEWNET = 0x40000000


class Inside:
    """A with-block during which the calling thread is in another network namespace.

    Args:
        descriptor: of the namespace to visit; None makes a new one.
    Attributes:
        descriptor: of the namespace visited; of a new one it is the caller's to close.
    """

    __slots__ = ("_home", "descriptor")

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = -1 if descriptor is None else descriptor
        self._home = -1

    def __enter__(self) -> Inside:
        self._home = current()
        try:
            if self.descriptor >= 0:
                setns(self.descriptor, CLONE_NEWNET)
            else:
                unshare(CLONE_NEWNET)
                self.descriptor = current()
        except BaseException:
            self._return()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._return()

    def _return(self) -> None:
        try:
            setns(self._home, CLONE_NEWNET)
        except BaseException:  # noqa: BLE001  going on in the wrong namespace would change somebody else's network
            os._exit(125)
        os.close(self._home)


def current() -> int:
    """A close-on-exec descriptor of the network namespace that the calling thread is in."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def create() -> int:
    """A new network namespace with nothing but its loopback interface, which is down.

    Returns:
        A close-on-exec descriptor; the namespace ends with it and with the processes that entered.
    Raises:
        OSError: this process may not make one.
    """
    with Inside() as visit:
        return visit.descriptor
