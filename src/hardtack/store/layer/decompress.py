"""Compressed layers as streams of plain bytes: gzip by isal, zstd by its own library, both inside this process.

Which it is, is told by the first bytes, as every engine does: media types in the wild are not always right. Promises
bounded steps (no chunk of output is larger than 256 KiB), a bounded total and ratio, that several members
or frames one after another are read as one stream, and that a stream cut short is an error.
"""

from __future__ import annotations

import io
import sys

from hardtack.store.layer.errors import BadCompression, LayerTooLarge, TruncatedTar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, BinaryIO, Protocol

    class Decompressor(Protocol):
        """Turns chunks as they come into chunks as they were."""

        def feed(self, chunk: bytes) -> Iterator[bytes]: ...

        def finish(self) -> None: ...


STEP = 1 << 18
_GZIP = b"\x1f\x8b"
_RATIO = 200  # honest layers reach 20; gzip cannot exceed 1,032, so a limit above that would never stop one
_RATIO_FREE = 8 << 30  # so many bytes may come out whatever the ratio


class Bound:
    """Counts both sides of a decompression and stops one that is a bomb.

    Args:
        limit: the most bytes that may come out.
    """

    __slots__ = ("_limit", "came", "went")

    def __init__(self, limit: int = 1 << 40) -> None:
        self._limit = limit
        self.went = 0
        self.came = 0

    def check(self, out: int) -> None:
        """Note bytes that came out.

        Raises:
            LayerTooLarge: too many.
        """
        self.came += out
        limit = min(self._limit, max(_RATIO_FREE, _RATIO * self.went))
        if self.came > limit:
            raise LayerTooLarge("decompressed bytes", limit)


class Gzip:
    """Members of a gzip stream, one or several. Source: RFC 1952, section 2.2.

    Zeros after the last member are padding; anything else there is an error.
    """

    def __init__(self, bound: Bound) -> None:
        from isal import igzip_lib

        self._new: Callable[[], Any] = lambda: igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        self._error: Any = igzip_lib.error
        self._bound = bound
        self._member: Any = None
        self._padding = False
        self._begun = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Decompress the next bytes.

        Raises:
            BadCompression: damaged, or something that is no gzip.
        """
        self._bound.went += len(chunk)
        while chunk or (self._member is not None and not self._member.needs_input):
            if self._member is None:
                if self._padding or (self._begun and not chunk[0]):
                    self._padding = True
                    if chunk.strip(b"\0"):
                        raise BadCompression("the gzip", "is followed by something else")
                    return
                if chunk[0] != _GZIP[0]:
                    raise BadCompression("the gzip", "is followed by something else")
                self._member = self._new()
                self._begun = True
            try:
                out = self._member.decompress(chunk, STEP)
            except self._error as error:
                raise BadCompression("the gzip", f"is damaged ({str(error).lower()})") from None
            chunk = b""
            self._bound.check(len(out))
            if out:
                yield out
            if self._member.eof:
                chunk = self._member.unused_data
                self._member = None

    def finish(self) -> None:
        """Say that no more bytes come.

        Raises:
            TruncatedTar: the last member is not whole.
        """
        if self._member is not None or not self._begun:
            raise TruncatedTar("its gzip stream ends early")


class Zstd:
    """Frames of a zstd stream, one or several, skippable ones included. Source: RFC 8878, section 3."""

    def __init__(self, bound: Bound) -> None:
        zstd = _zstd()
        self._new: Callable[[], Any] = lambda: zstd.ZstdDecompressor(
            options={zstd.DecompressionParameter.window_log_max: 27}
        )
        self._error: Any = zstd.ZstdError
        self._bound = bound
        self._frame: Any = None
        self._begun = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Decompress the next bytes.

        Raises:
            BadCompression: damaged, no zstd, or it needs a window above 128 MiB.
        """
        self._bound.went += len(chunk)
        while chunk or (self._frame is not None and not self._frame.needs_input):
            if self._frame is None:
                self._frame = self._new()
                self._begun = True
            try:
                out = self._frame.decompress(chunk, STEP)
            except self._error as error:
                raise BadCompression("the zstd", f"is damaged ({str(error).lower()})") from None
            chunk = b""
            self._bound.check(len(out))
            if out:
                yield out
            if self._frame.eof:
                chunk = self._frame.unused_data
                self._frame = None

    def finish(self) -> None:
        """Say that no more bytes come.

        Raises:
            TruncatedTar: the last frame is not whole.
        """
        if self._frame is not None or not self._begun:
            raise TruncatedTar("its zstd stream ends early")


class Plain:
    """No compression at all."""

    def __init__(self, bound: Bound) -> None:
        self._bound = bound

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The chunk itself."""
        self._bound.went += len(chunk)
        self._bound.check(len(chunk))
        yield chunk

    def finish(self) -> None:
        """Whether a plain tar is whole is for its reader to say."""


class ByContent:
    """Whatever the first bytes say it is: gzip, zstd, or nothing of the kind."""

    def __init__(self, bound: Bound) -> None:
        self._bound = bound
        self._head = b""
        self._chosen: Decompressor | None = None

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Decompress the next bytes; the first four decide how."""
        if self._chosen is None:
            self._head += chunk
            if len(self._head) < 4:
                return
            chunk, self._head = self._head, b""
            self._chosen = self._choose(chunk[:4])
        yield from self._chosen.feed(chunk)

    def finish(self) -> None:
        """As the chosen one does; an empty stream is an empty tar."""
        if self._chosen is not None:
            self._chosen.finish()
        elif self._head:
            raise TruncatedTar("it has less than four bytes")

    def _choose(self, magic: bytes) -> Decompressor:
        if magic[:2] == _GZIP:
            return Gzip(self._bound)
        if magic == b"\x28\xb5\x2f\xfd" or (magic[1:] == b"\x2a\x4d\x18" and 0x50 <= magic[0] <= 0x5F):
            return Zstd(self._bound)
        return Plain(self._bound)


class DecompressedFile(io.RawIOBase):
    """A compressed file as a readable stream of its plain bytes, not seekable."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        self._source = source
        self._decompressor = ByContent(Bound())
        self._pieces: Iterator[bytes] = iter(())
        self._held = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as one step goes; 0 at the end."""
        while not self._held and not self._ended:
            piece = next(self._pieces, None)
            if piece is not None:
                self._held = memoryview(piece)
                continue
            chunk = self._source.read(1 << 18)
            if chunk:
                self._pieces = self._decompressor.feed(chunk)
            else:
                self._decompressor.finish()
                self._ended = True
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count

    def close(self) -> None:
        """Close the source too."""
        self._source.close()
        super().close()


def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd
