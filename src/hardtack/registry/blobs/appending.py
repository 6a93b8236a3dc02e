"""Writing one upload's file: batches of bytes are hashed and written in a thread while the next batch is received."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hardtack.registry.blobs.failures import failure
from hardtack.registry.blobs.splicing import Splicer
from hardtack.registry.blobs.threads import settled
from hardtack.registry.errors import DigestInvalid, RegistryError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from hardtack.oci.digest import Digest
    from hardtack.registry.blobs.files import FileBlobs
    from hardtack.registry.blobs.splicing import Mover, Source

BATCH = 1 << 20
_SMALL = 128 << 10
_IOV_LIMIT = 512
_PIECE = 1 << 20
_REREAD = 256 << 10


@dataclass(slots=True)
class Running:
    """The hash of the first `offset` bytes of an upload."""

    algorithm: str
    hash: Any
    offset: int


class FileAppender:
    """See `blobs.interface.Appender`.

    Attributes:
        running: the hash of everything written, or None when this worker has not seen all of it.
        gone: the file is no upload any more.
    """

    def __init__(self, blobs: FileBlobs, path: str, descriptor: int, offset: int, running: Running | None) -> None:
        self._blobs = blobs
        self._path = path
        self._descriptor = descriptor
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        self._flush: asyncio.Future[Any] | None = None
        self._splicer: Mover | None = None
        self._buffer = memoryview(b"")
        self.offset = offset
        self.running = running
        self.gone = False

    async def write(self, chunk: bytes) -> None:
        self._waiting.append(chunk)
        self._waiting_size += len(chunk)
        self.offset += len(chunk)
        if self._waiting_size >= BATCH or len(self._waiting) >= _IOV_LIMIT:
            await self._hand_over()

    async def _hand_over(self) -> None:
        """Give the batch to a thread as soon as it is done with the last one."""
        await self._landed()
        batch, self._waiting, self._waiting_size = self._waiting, [], 0
        if batch:
            self._flush = asyncio.gather(self._blobs.run(self._store, batch), self._blobs.run(self._hash, batch))

    async def _landed(self) -> None:
        flush, self._flush = self._flush, None
        if flush is None:
            return
        try:
            await settled(flush)
        except RegistryError:
            # Full, or broken with an unknown part of the batch written: such an upload is not to be continued.
            await self._drop()
            raise

    def _store(self, batch: list[bytes]) -> None:
        size = sum(map(len, batch))
        written = os.writev(self._descriptor, batch)
        if written < size:
            rest = memoryview(b"".join(batch))[written:]
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def _hash(self, batch: Sequence[bytes | memoryview]) -> None:
        if self.running is not None:
            update = self.running.hash.update
            for chunk in batch:
                update(chunk)
            self.running.offset += sum(map(len, batch))

    async def splice(self, source: Source, count: int) -> int | None:
        if self._splicer is None:
            await self._hand_over()
            await self._landed()
            self._splicer = Splicer(source, self._descriptor) if isinstance(source, int) else source(self._descriptor)
            self._buffer = memoryview(bytearray(_REREAD))
        try:
            moved = await self._blobs.run(self._pump, self._splicer, count)
        except RegistryError:
            await self._drop()
            raise
        self.offset += moved or 0
        return moved

    def _pump(self, splicer: Mover, count: int) -> int | None:
        """Splice piece after piece while another thread hashes the one before."""
        total = 0
        hashing: Future[None] | None = None
        try:
            while total < count:
                moved = splicer.move(min(_PIECE, count - total))
                if not moved:
                    return total or moved
                if hashing is not None:
                    hashing.result()
                if splicer.seen is None:
                    hashing = self._blobs.hashers.submit(self._hash_file, self.offset + total, moved)
                else:
                    hashing = self._blobs.hashers.submit(self._hash, [splicer.seen])
                total += moved
            return total
        finally:
            if hashing is not None:
                hashing.result()

    def _hash_file(self, start: int, count: int) -> None:
        while count and self.running is not None:
            size = os.preadv(self._descriptor, [self._buffer[:count]], start)
            if not size:
                raise OSError(errno.EIO, "the upload's file is shorter than it was")
            self.running.hash.update(self._buffer[:size])
            self.running.offset += size
            start += size
            count -= size

    async def flush(self) -> None:
        """Put everything received into the file; nothing is to be acknowledged before.

        Raises:
            StorageFull, StorageBroken: the upload is gone.
        """
        try:
            if not self.gone:
                await self._hand_over()
            await self._landed()
        finally:
            if self._splicer is not None:
                self._splicer.close()
                self._splicer = None

    async def flush_quietly(self) -> None:
        """The same as far as possible, for a request that ends badly anyway."""
        try:
            await self.flush()
        except RegistryError:
            self.running = None

    async def publish(self, digest: Digest) -> int:
        await self._landed()
        batch, self._waiting, small = self._waiting, [], self._waiting_size <= _SMALL
        self._waiting_size = 0
        try:
            if small and self.running is not None:
                # Copying and hashing so little takes less time than a thread takes to wake up; fsync may take long.
                self._finish(batch, digest)
                await self._blobs.run(self._blobs.publish, self._path, self._descriptor, digest, self.offset)
            else:
                await self._blobs.run(self._finish_and_publish, batch, digest)
        except OSError as error:
            await self._drop()
            raise failure(error) from error
        except RegistryError:
            await self._drop()
            raise
        self.gone = True
        return self.offset

    def _finish_and_publish(self, batch: list[bytes], digest: Digest) -> None:
        """The last bytes and everything after them, in one visit to a thread."""
        self._finish(batch, digest)
        self._blobs.publish(self._path, self._descriptor, digest, self.offset)

    def _finish(self, batch: list[bytes], digest: Digest) -> None:
        """Write the last bytes, and verify all of them."""
        if batch:
            self._store(batch)
            self._hash(batch)
        running = self.running
        if running is not None and running.algorithm == digest.algorithm:
            actual = f"{running.algorithm}:{running.hash.hexdigest()}"
        else:
            actual = _hash_again(self._descriptor, digest.algorithm)
        if actual != digest:
            raise DigestInvalid(
                "the uploaded bytes do not have the digest that was given", {"given": digest, "actual": actual}
            )

    async def _drop(self) -> None:
        self.gone = True
        self.running = None
        try:
            await self._blobs.run(os.unlink, self._path)
        except RegistryError:
            pass  # it is gone already, or swept later


def _hash_again(descriptor: int, algorithm: str) -> str:
    with open(descriptor, "rb", buffering=0, closefd=False) as file:
        file.seek(0)
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"
