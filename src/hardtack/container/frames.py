"""What a monitor and its clients say to each other over a stream socket: frames of a kind and some bytes.

The head is docker's of the attach stream, {kind, 0, 0, 0, size big-endian}, with further kinds above stdout and
stderr. Pure: bytes in, frames out; sockets belong to the two sides.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

STDIN = 0
STDOUT = 1
STDERR = 2
STARTED = 3
"""To the starter: the pid of the container's process, as digits."""
EXITED = 4
"""The exit code, as digits; the last frame."""
FAILED = 5
"""To the starter: it could not be started; a JSON object with message, hint, exit_code."""
STDIN_END = 6
RESIZE = 7
"""Rows and columns of the client's terminal, as digits with a space between."""
HELLO = 8
"""The first frame of a client: what it wants, words with spaces between: stdin, stdout, stderr; none to wait only."""
CANCEL = 9
"""Do not start it again, somebody stopped it."""
WELCOME = 10
"""The answer to HELLO; from here on nothing is missed."""
NOTE = 11
"""To the starter: a line that a person should see."""

HEAD = 8
LARGEST = 1 << 20


def frame(kind: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return bytes((kind, 0, 0, 0)) + len(payload).to_bytes(4, "big") + payload


class Reader:
    """Cuts a stream of bytes back into frames."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Take in bytes and give every frame that is complete now.

        Raises:
            ValueError: a frame larger than any of ours; the other side is no peer.
        """
        buffer = self._buffer + data if self._buffer else data
        start = 0
        while len(buffer) - start >= HEAD:
            size = int.from_bytes(buffer[start + 4 : start + 8], "big")
            if size > LARGEST:
                raise ValueError(f"a frame of {size:,} bytes")
            end = start + HEAD + size
            if len(buffer) < end:
                break
            yield buffer[start], buffer[start + HEAD : end]
            start = end
        self._buffer = buffer[start:]
