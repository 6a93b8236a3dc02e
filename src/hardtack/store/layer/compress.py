"""gzip as our own layers use it: fast, on several cores, and the same bytes whatever the machine or the chunks.

The stream is cut into blocks of one size; each is deflated by itself and ends on a byte, so that together they are one
ordinary gzip member. Header without name or time. Sources: RFC 1951, RFC 1952.
"""

from __future__ import annotations

import os
import struct
from concurrent.futures import Future, ThreadPoolExecutor

from isal import isal_zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LEVEL = 1
_BLOCK = 1 << 20
_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\x04\xff"  # deflate, no flags, no time, fastest, unknown system


class GzipWriter:
    """Compresses a stream; `feed` gives what is ready, `finish` the rest."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._crc = 0
        self._size = 0
        self._begun = False
        self._pool: ThreadPoolExecutor | None = None
        self._working: list[Future[bytes]] = []
        self._width = min(4, os.cpu_count() or 1)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Take the next bytes; gives compressed ones, in order, when they are ready."""
        self._crc = isal_zlib.crc32(chunk, self._crc)
        self._size += len(chunk)
        self._held += chunk
        # The last block is compressed at the end, in one go when there is no other.
        while len(self._held) > _BLOCK:
            block = bytes(self._held[:_BLOCK])
            del self._held[:_BLOCK]
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._width, "layer-compress")
            self._working.append(self._pool.submit(_deflate, block, False))
            while len(self._working) > 2 * self._width:
                yield from self._next()

    def finish(self) -> Iterator[bytes]:
        """Give the rest of the stream."""
        last = _deflate(bytes(self._held), True)
        while self._working:
            yield from self._next()
        if self._pool is not None:
            self._pool.shutdown()
        yield b"" if self._begun else _HEADER
        yield last + struct.pack("<II", self._crc, self._size & 0xFFFFFFFF)

    def abort(self) -> None:
        """Stop the threads."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _next(self) -> Iterator[bytes]:
        if not self._begun:
            self._begun = True
            yield _HEADER
        yield self._working.pop(0).result()


def _deflate(block: bytes, last: bool) -> bytes:
    deflate = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, -15)
    return deflate.compress(block) + deflate.flush(isal_zlib.Z_FINISH if last else isal_zlib.Z_FULL_FLUSH)
