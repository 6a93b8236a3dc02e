"""Bytes from a socket to a file without passing through this process: splice(2), by way of a pipe.

Where the file system cannot do it, the bytes are read from the pipe and written; the caller does not notice.

Source: splice(2), pipe(7) "Pipe capacity".
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
from collections.abc import Callable
from typing import Protocol

SUPPORTED = hasattr(os, "splice")
_PIPE = 1 << 20
_MILLISECONDS = 2


class Mover(Protocol):
    """Moves bytes from a connection to a file. Close it.

    Attributes:
        seen: what was moved last, until the move after the next; None when it went past this process.
    """

    seen: memoryview | None

    def move(self, count: int) -> int | None:
        """Move what there is, up to `count` bytes; blocks for the disk, and for the connection a moment at most.

        Returns:
            How many bytes were moved, which is 0 when none are there yet; None when there will be no more.
        """
        ...

    def close(self) -> None:
        """Let go of what it has opened."""
        ...


Source = int | Callable[[int], Mover]
"""A socket's descriptor, or what makes the mover to a file."""


class Splicer:
    """See `Mover`: a pipe between a socket and a file. Close it.

    Args:
        source: a non-blocking socket's descriptor.
        target: a file's descriptor, positioned where the bytes go.
    """

    seen: memoryview | None = None

    def __init__(self, source: int, target: int) -> None:
        self._source = source
        self._target = target
        self._out, self._in = os.pipe2(os.O_CLOEXEC)
        try:
            fcntl.fcntl(self._in, fcntl.F_SETPIPE_SZ, _PIPE)
        except OSError:
            pass  # a smaller pipe takes more calls and does the same

    def close(self) -> None:
        os.close(self._out)
        os.close(self._in)

    def move(self, count: int) -> int | None:
        taken = self._take(count)
        if taken:
            self._put(taken)
        return taken

    def _take(self, count: int) -> int | None:
        try:
            return os.splice(self._source, self._in, min(count, _PIPE)) or None
        except BlockingIOError:
            # The next bytes are often on their way: waiting for them here is cheaper than coming back.
            poll = select.poll()
            poll.register(self._source, select.POLLIN)
            if not poll.poll(_MILLISECONDS):
                return 0
        try:
            return os.splice(self._source, self._in, min(count, _PIPE)) or None
        except BlockingIOError:
            return 0

    def _put(self, count: int) -> None:
        while count:
            try:
                count -= os.splice(self._out, self._target, count)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                self._copy(count)
                return

    def _copy(self, count: int) -> None:
        while count:
            rest = memoryview(os.read(self._out, count))
            count -= len(rest)
            while rest:
                rest = rest[os.write(self._target, rest) :]
