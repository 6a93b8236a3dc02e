"""What a request carries: bytes at hand, or a stretch of a file that is sent without passing through Python.

A body knows its length before it is sent, and can be sent again from its start when a request was turned down.
"""

from __future__ import annotations

import os
import ssl

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from typing import BinaryIO

_SLICE = 4 << 20  # of a file, between two words to the progress listener
_TLS_PIECE = 256 << 10


class Body:
    """Bytes at hand."""

    __slots__ = ("_data", "length")
    repeatable = True  # whether sending it twice does no more than sending it once

    def __init__(self, data: bytes = b"") -> None:
        self._data = data
        self.length = len(data)

    def send(self, sock: socket.socket) -> None:
        """Write all of it."""
        sock.sendall(self._data)


class FileBody(Body):
    """A stretch of a file from `offset` to its end or for `length` bytes.

    Args:
        sent: called with how many bytes went out; it may raise in order to stop.
    """

    __slots__ = ("_file", "_offset", "_sent")
    repeatable = False

    def __init__(self, file: BinaryIO, offset: int, length: int, sent: Callable[[int], None] = lambda _: None) -> None:
        super().__init__()
        self._file = file
        self._offset = offset
        self._sent = sent
        self.length = length

    def send(self, sock: socket.socket) -> None:
        """Write all of it: by the kernel alone on a plain connection, in pieces through TLS."""
        if isinstance(sock, ssl.SSLSocket):
            self._send_pieces(sock)
            return
        done = 0
        while done < self.length:
            # socket.sendfile moves the file's position; threads that send one file open it each for themselves.
            count = sock.sendfile(self._file, self._offset + done, min(_SLICE, self.length - done))
            if not count:
                raise EOFError("the file is shorter than it was")
            done += count
            self._sent(count)

    def _send_pieces(self, sock: ssl.SSLSocket) -> None:
        done = 0
        while done < self.length:
            size = min(_TLS_PIECE, self.length - done)
            piece = os.pread(self._file.fileno(), size, self._offset + done)
            if not piece:
                raise EOFError("the file is shorter than it was")
            sock.sendall(piece)
            done += len(piece)
            self._sent(len(piece))
