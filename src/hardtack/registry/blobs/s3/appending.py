"""Writing to an upload: bytes are gathered, hashed in a thread, and stored as pieces while the next ones arrive.

Memory is bounded per upload (one piece being filled, two on their way) and per process: when many uploads stand still
half way, pieces become smaller.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hardtack.registry.blobs.s3.assembling import Assembly, ahead
from hardtack.registry.blobs.s3.failures import Absent
from hardtack.registry.blobs.s3.keys import blob_key
from hardtack.registry.blobs.s3.pieces import BLOB_LIMIT, following, piece_size, to_merge
from hardtack.registry.blobs.s3.uploads import clear, folder_of
from hardtack.registry.blobs.threads import settled
from hardtack.registry.errors import DigestInvalid, RegistryError, SizeInvalid, StorageFull, UploadUnknown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from hardtack.oci.digest import Digest
    from hardtack.registry.blobs.s3.bucket import Bucket
    from hardtack.registry.blobs.s3.pieces import Piece
    from hardtack.registry.blobs.s3.uploads import UploadState

log = logging.getLogger("hardtack.registry")

_UNDER_WAY = 2
_LEAST_PIECE = 512 << 10
_READ_AHEAD = 16 << 20


@dataclass(slots=True)
class Running:
    """The hash of an upload's bytes up to the end of a piece; `last` is its id, and so says what came before."""

    algorithm: str
    hash: Any
    last: str


@dataclass(slots=True)
class Memory:
    """Bytes of uploads that a process holds."""

    limit: int = 256 << 20
    held: int = 0


@dataclass(frozen=True, slots=True)
class Tools:
    """What all appenders of a storage share."""

    bucket: Bucket
    threads: Executor
    memory: Memory


class S3Appender:
    """See `blobs.interface.Appender`.

    Args:
        state: the upload as it was a moment ago.
        running: the hash of all its bytes, or None when it is not known here.
    Attributes:
        gone: it is no upload any more.
        running: as above, of everything stored.
    """

    def __init__(self, tools: Tools, upload: str, state: UploadState, running: Running | None) -> None:
        self._tools = tools
        self._upload = upload
        self._folder = folder_of(upload)
        self._state = state
        self._chain = list(state.chain)
        self._written: list[str] = []
        self._waiting: list[bytes] = []
        self._size = 0  # of what waits
        self._merged = 0  # how much of that is stored already, in pieces too small to leave them alone
        self._seen = 0  # how many of the waiting chunks the hash has seen
        self._hashing: asyncio.Future[None] | None = None
        self._sending: deque[asyncio.Task[None]] = deque()
        self._failed = False
        self.offset = state.size
        self.running = running
        self.gone = False

    async def write(self, chunk: bytes) -> None:
        if not self._waiting and not self._written:
            await self._merge()
        self._wait(chunk)
        self.offset += len(chunk)
        memory = self._tools.memory
        while self._size:
            full = max(self._merged, piece_size(self.offset - self._size))
            tight = memory.held > memory.limit and self._size >= max(self._merged, _LEAST_PIECE)
            if self._size < full and not tight:
                return
            await self._cut(min(self._size, full))

    def _wait(self, chunk: bytes) -> None:
        self._waiting.append(chunk)
        self._size += len(chunk)
        self._tools.memory.held += len(chunk)

    async def _merge(self) -> None:
        """Take small pieces at the end back into memory, to store them again with what comes."""
        count = to_merge(self._chain)
        if not count:
            return
        kept = len(self._chain) - count
        try:
            async for data in ahead(self._tools.bucket, self._sources(self._chain[kept:]), _READ_AHEAD):
                self._wait(data)
        except Absent:
            raise UploadUnknown(self._upload) from None
        self._merged, self._seen = self._size, count
        del self._chain[kept:]

    async def splice(self, source: int, count: int) -> int | None:
        raise NotImplementedError("bytes for an object store pass through memory")

    async def _cut(self, count: int) -> None:
        """Make a piece of the first `count` bytes that wait, merged ones included, and have it stored."""
        if self.offset > BLOB_LIMIT:
            await self._drop()
            raise SizeInvalid(f"blobs of more than {BLOB_LIMIT >> 30} GiB cannot be kept in an object store")
        await self._hashed()
        chunks = self._take(count)
        self._hashing = self._run(self._hash, chunks[self._seen :])
        piece = following(self._chain, self._state.turn + 1, count)
        self._chain.append(piece)
        self._merged = self._seen = 0
        self._written.append(self._folder + piece.name)
        self._sending.append(asyncio.create_task(self._send(piece, chunks)))
        while len(self._sending) > _UNDER_WAY:
            await self._arrived()

    def _take(self, count: int) -> list[bytes]:
        taken: list[bytes] = []
        self._size -= count
        while count:
            chunk = self._waiting[len(taken)]
            if len(chunk) > count:
                self._waiting[len(taken) : len(taken) + 1] = chunk[:count], chunk[count:]
                chunk = chunk[:count]
            taken.append(chunk)
            count -= len(chunk)
        del self._waiting[: len(taken)]
        return taken

    async def _send(self, piece: Piece, chunks: list[bytes]) -> None:
        try:
            data, md5 = await self._run(_joined, chunks)
            await self._tools.bucket.put(self._folder + piece.name, data, md5)
        finally:
            self._tools.memory.held -= piece.size

    async def _arrived(self) -> None:
        """Wait for the oldest piece under way. It goes on being written when the waiting is cancelled."""
        try:
            await asyncio.shield(self._sending[0])
        except RegistryError as error:
            self._failed = True
            if isinstance(error, StorageFull):
                await self._drop()
            raise
        self._sending.popleft()

    def _run(self, work: Callable[..., Any], *values: Any) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().run_in_executor(self._tools.threads, work, *values)

    def _hash(self, chunks: Sequence[bytes]) -> None:
        if self.running is not None:
            for chunk in chunks:
                self.running.hash.update(chunk)

    async def _hashed(self) -> None:
        if self._hashing is not None:
            await asyncio.shield(self._hashing)
            self._hashing = None

    async def flush(self) -> None:
        """Store everything received; when it returns, every process sees it.

        Raises:
            StorageFull, StorageBroken: less was stored; a listing tells how much.
        """
        if self.gone or self._failed:
            return
        if self._size > self._merged:
            await self._cut(self._size)
        while self._sending:
            await self._arrived()
        await self._hashed()

    async def end(self) -> Running | None:
        """Let go of everything, however the request ended. Returns the hash of what is stored, when it is known."""
        await self._stop()
        if self._hashing is not None:
            await settled(self._hashing)
        whole = not (self.gone or self._failed or self._waiting) and self._chain
        self._tools.memory.held -= self._size
        self._size = 0
        self._waiting.clear()
        if not whole or self.running is None:
            return None
        self.running.last = self._chain[-1].id
        return self.running

    async def _stop(self) -> None:
        if self._sending:
            self._failed = True
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        self._sending.clear()

    async def publish(self, digest: Digest) -> int:
        while self._sending:
            await self._arrived()
        await self._hashed()
        rest = await self._run(b"".join, self._waiting)
        actual = await self._digest(digest.algorithm, rest)
        if actual != digest:
            await self._drop()
            raise DigestInvalid(
                "the uploaded bytes do not have the digest that was given", {"given": digest, "actual": actual}
            )
        await self._assemble(rest, blob_key(digest))
        return self.offset

    async def _digest(self, algorithm: str, rest: bytes) -> str:
        await self._run(self._hash, self._waiting[self._seen :])
        self._seen = len(self._waiting)
        if self.running is not None and self.running.algorithm == algorithm:
            return f"{algorithm}:{self.running.hash.hexdigest()}"
        again = hashlib.new(algorithm)
        try:
            async for data in ahead(self._tools.bucket, self._sources(self._chain), _READ_AHEAD):
                await self._run(again.update, data)
        except Absent:
            raise UploadUnknown(self._upload) from None
        await self._run(again.update, rest)
        return f"{algorithm}:{again.hexdigest()}"

    async def _assemble(self, rest: bytes, target: str) -> None:
        assembly = Assembly(self._tools.bucket, self._folder, self._sources(self._chain), rest, target)
        try:
            # A client that goes away in the middle finds it done when it asks again, since the pieces stay until then.
            note = await settled(asyncio.ensure_future(assembly.make()))
        except Absent:
            self.gone = True
            raise UploadUnknown(self._upload) from None
        except StorageFull:
            await self._drop()
            raise
        self.gone = True
        try:
            await clear(self._tools.bucket, self._upload, self._state, [*self._written, *([note] if note else [])])
        except RegistryError as error:
            log.warning("what is left of upload %s stays for the collector: %s", self._upload, error)

    def _sources(self, chain: Sequence[Piece]) -> list[tuple[str, int]]:
        return [(self._folder + piece.name, piece.size) for piece in chain]

    async def _drop(self) -> None:
        """The upload is of no use any more: remove it, or leave that to the collector."""
        self.gone = True
        await self._stop()
        try:
            await clear(self._tools.bucket, self._upload, self._state, self._written)
        except RegistryError as error:
            log.warning("upload %s is left to the collector: %s", self._upload, error)


def _joined(chunks: Sequence[bytes]) -> tuple[bytes, bytes]:
    data = b"".join(chunks)
    return data, hashlib.md5(data, usedforsecurity=False).digest()
