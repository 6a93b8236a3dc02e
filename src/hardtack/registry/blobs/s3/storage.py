"""Blobs in an S3-compatible store: `blobs/…` as in a folder, unfinished uploads as pieces below `uploads/<id>/`.

No process keeps anything that another one needs: whoever gets the next request of an upload reads from the store what
it holds. What a process does keep (running hashes, sizes of blobs) only saves requests. A blob's object comes into
being in one request of the store, after its digest was verified.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from hardtack.oci.digest import Digest
from hardtack.registry.blobs.s3.appending import Running, S3Appender, Tools
from hardtack.registry.blobs.s3.assembling import copied
from hardtack.registry.blobs.s3.bucket import Bucket
from hardtack.registry.blobs.s3.checking import check
from hardtack.registry.blobs.s3.failures import Absent
from hardtack.registry.blobs.s3.gathering import Memory
from hardtack.registry.blobs.s3.keys import ASIDE, BLOBS, blob_key, digest_of
from hardtack.registry.blobs.s3.reading import S3Blob
from hardtack.registry.blobs.s3.uploads import begun_key, clear, resting, state_of
from hardtack.registry.errors import BlobUnknown, RegistryError, UploadBusy, UploadOutOfOrder, UploadUnknown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from typing import Self

    from hardtack.registry.blobs.s3.settings import S3Settings

_THREADS = 4
_HASHES = 1024
_SIZES = 10_000
_SIZE_LIFE = 60.0
_REDIRECTED = 1 << 20  # smaller ones are here sooner than the client is there
_RESCUE = 20.0
_STALE = 86_400.0
_SELDOM = 3600.0


class S3Blobs:
    """See `blobs.interface.Blobs`. Made by `connect`, for the event loop that runs then."""

    chunk_min = 0
    can_splice = False

    def __init__(self, settings: S3Settings, bucket: Bucket) -> None:
        self._settings = settings
        self._bucket = bucket
        self._threads = ThreadPoolExecutor(_THREADS, "registry-s3")
        self._tools = Tools(bucket, self._threads, Memory())
        self._busy: set[str] = set()
        self._running: OrderedDict[str, Running] = OrderedDict()
        self._sizes: OrderedDict[Digest, tuple[int, float]] = OrderedDict()
        self._swept = 0.0

    @classmethod
    async def connect(cls, settings: S3Settings) -> Self:
        """Open the store, and make sure that it can be used.

        Raises:
            CannotServe: the store cannot be reached, refuses us, or has no such bucket.
        """
        bucket = await Bucket.connect(settings)
        try:
            await check(bucket, settings)
        except BaseException:
            await bucket.close()
            raise
        return cls(settings, bucket)

    async def check(self) -> None:
        await self.received(str(uuid.uuid4()))

    async def close(self) -> None:
        await self._bucket.close()
        self._threads.shutdown()

    # Uploads

    async def begin(self, upload: str) -> None:
        await self._bucket.put(begun_key(upload))

    async def received(self, upload: str) -> int | None:
        state = await state_of(self._bucket, upload)
        return state.size if state.begun else None

    @asynccontextmanager
    async def append(
        self, upload: str, start: int | None = None, algorithm: str = "sha256"
    ) -> AsyncIterator[S3Appender]:
        if upload in self._busy:
            raise UploadBusy(upload)
        self._busy.add(upload)
        try:
            state = await state_of(self._bucket, upload)
            if not state.begun:
                raise UploadUnknown(upload)
            if start is not None and start != state.size:
                raise UploadOutOfOrder(upload, state.size)
            running = self._running.pop(upload, None)
            if not state.chain:
                running = Running(algorithm, hashlib.new(algorithm), "")
            elif running is not None and running.last != state.chain[-1].id:
                running = None  # somebody else went on meanwhile
            appender = S3Appender(self._tools, upload, state, running)
            try:
                yield appender
                await appender.flush()
            except BaseException:
                # What arrived is kept, as far as that is possible in reasonable time.
                with suppress(RegistryError, TimeoutError):
                    async with asyncio.timeout(_RESCUE):
                        await appender.flush()
                raise
            finally:
                self._keep(upload, await appender.end())
        finally:
            self._busy.discard(upload)

    def _keep(self, upload: str, running: Running | None) -> None:
        if running is not None:
            self._running[upload] = running
            while len(self._running) > _HASHES:
                self._running.popitem(last=False)

    async def discard(self, upload: str) -> bool:
        self._running.pop(upload, None)
        state = await state_of(self._bucket, upload)
        if not (state.begun or state.chain or state.others):
            return False
        await clear(self._bucket, upload, state)
        return True

    async def abandoned(self, idle: float) -> list[str]:
        return await resting(self._bucket, idle)

    # Blobs

    async def open(self, digest: Digest, part: tuple[int, int] | None = None) -> S3Blob:
        key = blob_key(digest)
        try:
            if self._settings.redirect:
                size = await self._size(digest)
                if size >= _REDIRECTED:
                    return S3Blob(self._bucket, key, size, await self._bucket.address(key))
            stream = await self._bucket.get(key, *(part or ()))
        except Absent:
            raise BlobUnknown(digest) from None
        return S3Blob(self._bucket, key, stream.total, stream=stream)

    async def _size(self, digest: Digest) -> int:
        """The size of a blob. What is remembered cannot show anything that is gone: metadata are asked before."""
        now = time.monotonic()
        known = self._sizes.get(digest)
        if known is not None and known[1] > now:
            return known[0]
        size = await self._bucket.size(blob_key(digest))
        if size is None:
            raise Absent(digest)
        self._sizes[digest] = size, now + _SIZE_LIFE
        while len(self._sizes) > _SIZES:
            self._sizes.popitem(last=False)
        return size

    async def read(self, digest: Digest, limit: int) -> bytes:
        try:
            stream = await self._bucket.get(blob_key(digest))
            if stream.total > limit:
                stream.close()
                raise BlobUnknown(digest)
            return await stream.rest()
        except Absent:
            raise BlobUnknown(digest) from None

    async def remove(self, digests: Sequence[str]) -> None:
        named = [Digest(digest) for digest in digests]
        for digest in named:
            self._sizes.pop(digest, None)
        await self._bucket.delete(blob_key(digest) for digest in named)

    def is_tight(self) -> bool:
        """A bucket has no end that it would tell."""
        return False

    async def sweep(self) -> None:
        """Blobs that were removed are gone already; what remains to be thrown away is half-made ones without a note."""
        if time.monotonic() < self._swept:
            return
        self._swept = time.monotonic() + _SELDOM
        await self.abort_stale(_STALE)

    async def abort_stale(self, age: float) -> None:
        """Abort multipart uploads of blobs that began so many seconds ago."""
        stale = [(key, name) async for key, name, old in self._bucket.unfinished(BLOBS) if old >= age]
        for key, name in stale:
            await self._bucket.abort(key, name)

    async def set_aside(self, digest: Digest) -> bool:
        key = blob_key(digest)
        try:
            await copied(self._bucket, key, f"{ASIDE}{digest}-{time.time_ns()}")
        except Absent:
            return False
        self._sizes.pop(digest, None)
        await self._bucket.delete([key])
        return True

    async def aside(self) -> list[str]:
        return [entry.key.removeprefix(ASIDE) async for entry in self._bucket.listing(ASIDE)]

    async def listing(self) -> AsyncIterator[tuple[str, int]]:
        async for entry in self._bucket.listing(BLOBS):
            digest = digest_of(entry.key)
            if digest is not None:
                yield digest, entry.size
