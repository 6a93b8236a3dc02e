"""A blob on its way in, and those who read it meanwhile.

What arrives is handed to every reader as it comes. The newest bytes stay in memory; a reader that is behind them reads
what the storage has of the upload already, or waits for the whole blob where the storage shows no parts. The last byte
is held back until the digest of all was verified, so that nobody can take for complete what is not.

Where nothing is stored, memory is all there is: then the slowest reader sets the pace.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from typing import TYPE_CHECKING

from hardtack.registry.errors import RegistryError, StorageBroken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from hardtack.registry.blobs.interface import OpenBlob

    Peek = Callable[[int, int], Awaitable[bytes]]

_WINDOW = 4 << 20  # more than a storage has on its way to the disk
_PIECE = 1 << 20
_PATIENCE = 120.0  # longer than a client may take nothing


class Growing:
    """The bytes of one blob, from the first to the last.

    Args:
        size: of the whole blob.
        peek: reads bytes of the unfinished upload out of the storage, from a position, at most so many; b"" when it
            shows none.
        whole: opens the blob once it is stored.
    Attributes:
        received: how many bytes have come.
        kept: whether what comes is stored.
    """

    def __init__(self, size: int, peek: Peek, whole: Callable[[], Awaitable[OpenBlob]]) -> None:
        self.size = size
        self.received = 0
        self.kept = True
        self._peek = peek
        self._whole = whole
        self._parts: list[bytes] = []
        self._starts: list[int] = []
        self._readers: set[Reader] = set()
        self._done = False
        self._error: RegistryError | None = None
        self._turn = 0
        self._waiting: list[asyncio.Future[None]] = []

    # For who brings the bytes

    async def arrived(self, start: int, chunk: bytes) -> None:
        """Take in bytes. Those that came before, when a fetch began anew, are left out.

        Raises:
            StorageBroken: nothing is stored, and the readers take nothing any more.
        """
        if start < self.received:
            chunk = chunk[self.received - start :]
        if chunk:
            self._starts.append(self.received)
            self._parts.append(chunk)
            self.received += len(chunk)
        self._wake()
        if self.kept:
            self._forget(self.received - _WINDOW)
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                while self._slowest() < self.received - _WINDOW:
                    await self._changed(self._turn)
        except TimeoutError:
            raise StorageBroken("nothing can be stored, and the client takes nothing") from None
        self._forget(self._slowest())

    def give_up_keeping(self) -> None:
        """Nothing can be stored from here on; the bytes will come once more from the first on."""
        self.kept = False
        slowest = self._slowest()
        if self._starts and slowest < self._starts[0]:
            self._starts.clear()
            self._parts.clear()
            self.received = slowest

    def verified(self) -> None:
        """All has come and is what it should be; stored, if it is kept."""
        self._done = True
        self._wake()

    def failed(self, error: RegistryError) -> None:
        """Nothing more will come."""
        if not self._done:
            self._error = error
        self._wake()

    @property
    def is_done(self) -> bool:
        """Whether all has come."""
        return self._done

    @property
    def is_wanted(self) -> bool:
        """Whether anybody reads."""
        return bool(self._readers)

    # For who reads them

    def reader(self, start: int, count: int) -> Reader | None:
        """Somebody who reads a range; None when its beginning is gone already."""
        first = self._starts[0] if self._starts else self.received
        if self._error is not None or (start < first and not self.kept):
            return None
        reader = Reader(self, start, start + count)
        self._readers.add(reader)
        return reader

    async def began(self) -> None:
        """Wait for the first bytes, or the end. Raises what made it fail."""
        while not self.received and not self._done and self._error is None:
            await self._changed(self._turn)
        if self._error is not None:
            raise self._error

    async def next(self, reader: Reader) -> bytes:
        """The next bytes for a reader; b"" when only the stored blob has them."""
        while True:
            turn = self._turn
            if self._error is not None:
                raise self._error
            position, end = reader.position, min(reader.end, self._open_until())
            chunk = self._at_hand(position, end) or await self._behind(position, end)
            if chunk or self._done:
                return chunk
            await self._changed(turn)

    async def stored(self) -> OpenBlob:
        """The whole blob, when it is stored."""
        return await self._whole()

    def moved(self) -> None:
        """A reader has taken something."""
        if not self.kept:
            self._wake()

    def left(self, reader: Reader) -> None:
        """A reader reads no more."""
        self._readers.discard(reader)
        self._wake()

    def _at_hand(self, position: int, end: int) -> bytes:
        if position >= end or not self._starts or position < self._starts[0]:
            return b""
        index = bisect_right(self._starts, position) - 1
        offset = position - self._starts[index]
        return self._parts[index][offset : offset + end - position]

    async def _behind(self, position: int, end: int) -> bytes:
        if position >= end or not self.kept or self._done:
            return b""
        return await self._peek(position, min(end - position, _PIECE))

    def _open_until(self) -> int:
        return self.received if self._done else min(self.received, self.size - 1)

    def _slowest(self) -> int:
        return min((reader.position for reader in self._readers), default=self.received)

    def _forget(self, before: int) -> None:
        count = bisect_right(self._starts, before) - 1
        if count > 0:
            del self._starts[:count], self._parts[:count]

    async def _changed(self, turn: int) -> None:
        """Wait until something has happened since a turn."""
        if turn != self._turn:
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def _wake(self) -> None:
        self._turn += 1
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)


class Reader:
    """One who reads a range of a growing blob. Close it.

    Attributes:
        position: of the next byte.
        end: the position after the last.
    """

    def __init__(self, growing: Growing, start: int, end: int) -> None:
        self._growing = growing
        self.position = start
        self.end = end
        self.size = growing.size

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes as they come.

        Raises:
            RegistryError: the fetch failed; what was given so far is not to be used.
        """
        while self.position < self.end:
            chunk = await self._growing.next(self)
            if not chunk:
                break
            yield chunk
            self._took(chunk)
        if self.position < self.end:
            blob = await self._growing.stored()
            try:
                async for chunk in blob.chunks(self.position, self.end - self.position):
                    yield chunk
                    self._took(chunk)
            finally:
                blob.close()

    def _took(self, chunk: bytes) -> None:
        self.position += len(chunk)
        self._growing.moved()

    def close(self) -> None:
        """Read no more."""
        self._growing.left(self)
