"""Archives as people compress them: gzip, zstd, bzip2, xz, told by their first bytes; bounded in time and memory.

gzip and zstd are the layers' own; bzip2 and xz are read here and nowhere else.
"""

from __future__ import annotations

import io

from hardtack.store.layer.decompress import STEP, Bound, DecompressedFile
from hardtack.store.layer.errors import BadCompression, TruncatedTar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, BinaryIO

_XZ_MEMORY = 256 << 20
_MAGIC = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\x00")
_HEAD = 6
_CHUNK = 1 << 20


def plain_stream(source: BinaryIO) -> tuple[BinaryIO, bool]:
    """A stream of the plain bytes, and whether it decompresses anything.

    Args:
        source: at its beginning; read from here on through what is returned.
    """
    peeked = _Peeked(source)
    head = peeked.peek(_HEAD)
    whole = io.BufferedReader(peeked, _CHUNK)
    if not head.startswith(_MAGIC):
        return whole, False
    plain = DecompressedFile(whole) if head.startswith(_MAGIC[:2]) else _Decompressed(whole, _streams(head))
    return io.BufferedReader(plain, _CHUNK), True


class Streams:
    """Streams of one kind, one after another, as bytes come.

    Args:
        new: makes a decompressor with `decompress(data, max_length)`, `eof`, `needs_input`, `unused_data`.
        name: of the kind, for errors.
    """

    def __init__(self, new: Callable[[], Any], name: str, errors: tuple[type[Exception], ...]) -> None:
        self._new = new
        self._name = name
        self._errors = errors
        self._bound = Bound()
        self._current: Any = None
        self._begun = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Decompress the next bytes.

        Raises:
            BadCompression: damaged, or it needs too much memory.
            LayerTooLarge: a bomb.
        """
        self._bound.went += len(chunk)
        while chunk or (self._current is not None and not self._current.needs_input):
            if self._current is None:
                chunk = chunk.lstrip(b"\0") if self._begun else chunk
                if not chunk:
                    return
                self._current, self._begun = self._new(), True
            try:
                out = self._current.decompress(chunk, STEP)
            except self._errors as error:
                raise BadCompression(f"the {self._name}", f"is damaged ({str(error).lower()})") from None
            chunk = b""
            self._bound.check(len(out))
            if out:
                yield out
            if self._current.eof:
                chunk, self._current = self._current.unused_data, None

    def finish(self) -> None:
        """Say that no more bytes come.

        Raises:
            TruncatedTar: the last stream is not whole.
        """
        if self._current is not None or not self._begun:
            raise TruncatedTar(f"its {self._name} stream ends early")


def _streams(head: bytes) -> Streams:
    if head.startswith(b"BZh"):
        import bz2

        return Streams(bz2.BZ2Decompressor, "bzip2", (OSError, EOFError, ValueError))
    import lzma

    def new() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    return Streams(new, "xz", (lzma.LZMAError, EOFError, ValueError))


class _Decompressed(io.RawIOBase):
    def __init__(self, source: BinaryIO, streams: Streams) -> None:
        super().__init__()
        self._source = source
        self._streams = streams
        self._pieces: Iterator[bytes] = self._run()
        self._held = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._held:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._held = memoryview(piece)
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count

    def _run(self) -> Iterator[bytes]:
        while chunk := self._source.read(1 << 18):
            yield from self._streams.feed(chunk)
        self._streams.finish()


class _Peeked(io.RawIOBase):
    """A stream whose first bytes can be looked at before they are read."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        self._source = source
        self._head = b""

    def peek(self, count: int) -> bytes:
        while len(self._head) < count and (more := self._source.read(count - len(self._head))):
            self._head += more
        return self._head

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._head:
            chunk, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        else:
            chunk = self._source.read(len(buffer)) or b""
        buffer[: len(chunk)] = chunk
        return len(chunk)
