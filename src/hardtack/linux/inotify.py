"""Being told that something happened in a directory, instead of asking again and again: inotify(7)."""

from __future__ import annotations

import os

from hardtack.linux import libc

MODIFY = 0x2
MOVED_TO = 0x80
CREATE = 0x100

_CLOEXEC_NONBLOCK = 0o2000000 | 0o4000


class Inotify:
    """A descriptor that becomes readable when one of the watched things happens; usable with poll(2)."""

    __slots__ = ("_descriptor",)

    def __init__(self) -> None:
        self._descriptor = libc.call("inotify_init1", _CLOEXEC_NONBLOCK)

    def watch(self, path: str, events: int) -> None:
        """Add a file or a directory.

        Raises:
            OSError: it is not there, or the user's limit of watches is reached.
        """
        libc.call("inotify_add_watch", self._descriptor, os.fsencode(path), events, path=path)

    def clear(self) -> None:
        """Forget what has happened until now; the next event wakes again."""
        try:
            while os.read(self._descriptor, 65_536):
                pass
        except BlockingIOError:
            pass

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def close(self) -> None:
        """Stop watching."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
