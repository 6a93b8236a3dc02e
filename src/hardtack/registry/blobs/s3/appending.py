"""Writing to an upload: bytes are gathered, hashed in a thread, and stored as pieces while the next ones arrive.

Memory is bounded per upload (one piece being filled, two on their way), and per process when many uploads stand still
half way. What is stored of an upload never depends on what this process knows.
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
from hardtack.registry.blobs.s3.gathering import Gathered
from hardtack.registry.blobs.s3.keys import blob_key
from hardtack.registry.blobs.s3.pieces import BLOB_LIMIT, following, to_merge
from hardtack.registry.blobs.s3.uploads import clear, folder_of
from hardtack.registry.blobs.threads import settled
from hardtack.registry.errors import DigestInvalid, RegistryError, SizeInvalid, StorageFull, UploadUnknown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from hardtack.oci.digest import Digest
    from hardtack.registry.blobs.s3.bucket import Bucket
    from hardtack.registry.blobs.s3.gathering import Memory
    from hardtack.registry.blobs.s3.pieces import Piece
    from hardtack.registry.blobs.s3.uploads import UploadState
    from hardtack.registry.blobs.splicing import Source

log = logging.getLogger("hardtack.registry")

_UNDER_WAY = 2
_READ_AHEAD = 16 << 20


@dataclass(slots=True)
class Running:
    """The hash of an upload's bytes up to the end of a piece; `last` is its id, and so says what came before."""

    algorithm: str
    hash: Any
    last: str


@dataclass(frozen=True, slots=True)
class Tools:
    """What all appenders of a storage share."""

    bucket: Bucket
    threads: Executor
    memory: Memory

    async def run(self, work: Callable[..., Any], *values: Any) -> Any:
        """Work in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, work, *values)


class S3Appender:
    """See `blobs.interface.Appender`.

    Args:
        state: the upload as it was a moment ago.
        running: the hash of all its bytes, or None when it is not known here.
    """

    def __init__(self, tools: Tools, upload: str, state: UploadState, running: Running | None) -> None:
        self._tools = tools
        self._upload = upload
        self._folder = folder_of(upload)
        self._state = state
        self._running = running
        self._chain = list(state.chain)
        self._written: list[str] = []
        self._waiting = Gathered(tools.memory)
        self._hashing: asyncio.Task[None] | None = None
        self._sending: deque[asyncio.Task[None]] = deque()
        self._failed = False
        self._gone = False
        self.offset = state.size

    async def write(self, chunk: bytes) -> None:
        if not self._waiting.size and not self._written:
            await self._merge()
        self._waiting.add(chunk)
        self.offset += len(chunk)
        while count := self._waiting.due(self.offset - self._waiting.size):
            await self._cut(count)

    async def splice(self, source: Source, count: int) -> int | None:
        raise NotImplementedError("bytes for an object store pass through memory")

    async def _merge(self) -> None:
        """Take small pieces at the end back into memory, to store them again with what comes."""
        kept = len(self._chain) - to_merge(self._chain)
        try:
            async for data in ahead(self._tools.bucket, self._sources(self._chain[kept:]), _READ_AHEAD):
                self._waiting.merge(data)
        except Absent:
            raise UploadUnknown(self._upload) from None
        del self._chain[kept:]

    async def _cut(self, count: int) -> None:
        """Make a piece of the first `count` bytes that wait, and have it stored."""
        if self.offset > BLOB_LIMIT:
            await self._drop()
            raise SizeInvalid(f"blobs of more than {BLOB_LIMIT >> 30} GiB cannot be kept in an object store")
        await self._hashed()
        chunks, fresh = self._waiting.take(count)
        self._hashing = asyncio.create_task(self._tools.run(self._hash, fresh))
        piece = following(self._chain, self._state.turn + 1, count)
        self._chain.append(piece)
        self._written.append(self._folder + piece.name)
        self._sending.append(asyncio.create_task(self._send(piece, chunks)))
        while len(self._sending) > _UNDER_WAY:
            await self._arrived()

    async def _send(self, piece: Piece, chunks: list[bytes]) -> None:
        try:
            data, md5 = await self._tools.run(_joined, chunks)
            await self._tools.bucket.put(self._folder + piece.name, data, md5)
        finally:
            self._waiting.release(piece.size)

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

    def _hash(self, chunks: Sequence[bytes]) -> None:
        if self._running is not None:
            for chunk in chunks:
                self._running.hash.update(chunk)

    async def _hashed(self) -> None:
        if self._hashing is not None:
            await asyncio.shield(self._hashing)
            self._hashing = None

    async def flush(self) -> None:
        """Store everything received; when it returns, every process sees it.

        Raises:
            StorageFull, StorageBroken: less was stored; a listing tells how much.
        """
        if self._gone or self._failed:
            return
        if self._waiting.size > self._waiting.merged:
            await self._cut(self._waiting.size)
        while self._sending:
            await self._arrived()
        await self._hashed()

    async def end(self) -> Running | None:
        """Let go of everything, however the request ended. Returns the hash of what is stored, when it is known."""
        await self._stop()
        if self._hashing is not None:
            await settled(self._hashing)
        whole = self._chain and not (self._gone or self._failed or self._waiting.size)
        self._waiting.clear()
        if not whole or self._running is None:
            return None
        self._running.last = self._chain[-1].id
        return self._running

    async def _stop(self) -> None:
        """Give up what is under way."""
        self._failed = self._failed or bool(self._sending)
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        self._sending.clear()

    async def publish(self, digest: Digest) -> int:
        while self._sending:
            await self._arrived()
        await self._hashed()
        rest = await self._tools.run(self._waiting.joined)
        actual = await self._digest(digest.algorithm, rest)
        if actual != digest:
            await self._drop()
            raise DigestInvalid(
                "the uploaded bytes do not have the digest that was given", {"given": digest, "actual": actual}
            )
        await self._assemble(rest, blob_key(digest))
        return self.offset

    async def _digest(self, algorithm: str, rest: bytes) -> str:
        self._hashing = asyncio.create_task(self._tools.run(self._hash, self._waiting.unseen()))
        await self._hashed()
        if self._running is not None and self._running.algorithm == algorithm:
            return f"{algorithm}:{self._running.hash.hexdigest()}"
        again = hashlib.new(algorithm)
        try:
            async for data in ahead(self._tools.bucket, self._sources(self._chain), _READ_AHEAD):
                await self._tools.run(again.update, data)
        except Absent:
            raise UploadUnknown(self._upload) from None
        await self._tools.run(again.update, rest)
        return f"{algorithm}:{again.hexdigest()}"

    async def _assemble(self, rest: bytes, target: str) -> None:
        assembly = Assembly(self._tools.bucket, self._folder, self._sources(self._chain), rest, target)
        try:
            # A client that goes away in the middle finds it done when it asks again: the pieces stay until then.
            note = await settled(asyncio.create_task(assembly.make()))
        except Absent:
            self._gone = True
            raise UploadUnknown(self._upload) from None
        except StorageFull:
            await self._drop()
            raise
        self._gone = True
        await self._clear([*self._written, *([note] if note else [])])

    def _sources(self, chain: Sequence[Piece]) -> list[tuple[str, int]]:
        return [(self._folder + piece.name, piece.size) for piece in chain]

    async def _drop(self) -> None:
        """The upload is of no use any more."""
        self._gone = True
        await self._stop()
        await self._clear(self._written)

    async def _clear(self, more: Sequence[str]) -> None:
        try:
            await clear(self._tools.bucket, self._upload, self._state, more)
        except RegistryError as error:
            log.warning("what is left of upload %s stays for the collector: %s", self._upload, error)


def _joined(chunks: Sequence[bytes]) -> tuple[bytes, bytes]:
    data = b"".join(chunks)
    return data, hashlib.md5(data, usedforsecurity=False).digest()
