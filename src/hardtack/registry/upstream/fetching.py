"""One fetch of one blob: from the upstream into the storage, and to everybody who waits for it on the way.

Nothing is linked before its digest was verified. Where nothing can be stored, the same is done without: then it comes
from the upstream for those who wait, and is verified just the same.

Several processes may be asked for the same blob. Each notes its upload in the database, as every push does; one that
sees another's follows it, where the storage shows unfinished uploads, and fetches the blob itself where it does not,
or when the other gives no sign of life. Two that begin within the same moment both fetch: that costs traffic only.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import uuid
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from hardtack.registry.errors import DigestInvalid, QuotaExceeded, RegistryError, StorageBroken, StorageFull
from hardtack.registry.metrics import Count
from hardtack.registry.upstream import scripts
from hardtack.registry.upstream.downloading import downloaded
from hardtack.registry.upstream.errors import UpstreamFailed
from hardtack.registry.upstream.growing import Growing
from hardtack.registry.upstream.keeping import who

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hardtack.oci.digest import Digest
    from hardtack.registry.blobs.interface import OpenBlob
    from hardtack.registry.upstream.keeping import Keeper
    from hardtack.registry.upstream.place import Place

log = logging.getLogger("hardtack.registry")

_PULSE = 2.0
_DEAD = 8.0
_POLL = 0.05
_PIECE = 1 << 20


class Fetch:
    """The fetch of a blob.

    Attributes:
        growing: its bytes.
    """

    def __init__(self, keeper: Keeper, place: Place, digest: Digest, size: int) -> None:
        self.growing = Growing(size, self._peek, self._whole)
        self._keeper = keeper
        self._place = place
        self._digest = digest
        self._size = size
        self._upload = ""

    async def run(self, slots: asyncio.Semaphore) -> None:
        """Do it when there is a slot; how it ends is told to the readers."""
        try:
            async with slots:
                await (self._keeping() if self._keeper.can_keep(self._place) else self._passing())
        except RegistryError as error:
            log.warning("fetching %s of %s failed: %s", self._digest, self._place.repository, error)
            self._keeper.count(Count.UPSTREAM_ERRORS)
            self.growing.failed(error)
        except BaseException:
            self.growing.failed(UpstreamFailed(self._place.client.host, "the fetch was given up"))
            raise

    async def _keeping(self) -> None:
        while (other := await self._other()) and not self.growing.is_done:
            await self._follow(other)
        if self.growing.is_done:
            return
        try:
            await self._store()
        except (StorageFull, StorageBroken, QuotaExceeded) as error:
            log.warning("%s of %s cannot be kept: %s", self._digest, self._place.repository, error)
            self._keeper.is_full(self._place)
            if self.growing.is_wanted:
                await self._passing()

    # Following another process

    async def _other(self) -> str:
        """The upload of a process that fetches the same and can be followed; "" when there is none."""
        if not hasattr(self._keeper.blobs, "peek"):
            return ""
        since = self._keeper.now() - _DEAD
        return await self._keeper.database.read(scripts.fetching, self._place.repository, str(self._digest), since)

    async def _follow(self, upload: str) -> None:
        """Take the bytes from another's upload, until that is the blob or its process shows no life."""
        self._upload = upload
        while True:
            if chunk := await self._peek(self.growing.received, _PIECE):
                await self.growing.arrived(self.growing.received, chunk)
                continue
            if await self._keeper.metadata.blob_size(self._place.repository, self._digest) is not None:
                self.growing.verified()
                return
            if await self._other() != upload:
                return
            await asyncio.sleep(_POLL)

    # Storing

    async def _store(self) -> None:
        self._upload = upload = str(uuid.uuid4())
        blobs, keeper, place = self._keeper.blobs, self._keeper, self._place
        try:
            await blobs.begin(upload)
            await keeper.metadata.claim(upload, place.repository, who(place), self._digest, self._size)
            async with self._alive(upload), blobs.append(upload, 0, self._digest.algorithm) as appender:
                async with aclosing(downloaded(place, self._digest, self._size)) as pieces:
                    async for start, piece in pieces:
                        await appender.write(piece)
                        await self.growing.arrived(start, piece)
                await keeper.metadata.claim(upload, place.repository, who(place), self._digest, self._size, True)
                await appender.publish(self._digest)
                await self._link(upload)
        except DigestInvalid:
            await self._forget(upload)
            raise UpstreamFailed(place.client.host, f"it sent other bytes than those of {self._digest}") from None
        except BaseException:
            await self._forget(upload)
            raise
        self.growing.verified()

    async def _link(self, upload: str) -> None:
        try:
            await self._keeper.finish_blob(self._place, upload, self._digest, self._size)
        except (StorageFull, QuotaExceeded) as error:
            # It is verified and on the disk for now: those who wait get it, and the collector takes it away.
            log.warning("%s of %s is not kept: %s", self._digest, self._place.repository, error)
            self._keeper.is_full(self._place)
            await self._forget(upload)

    async def _forget(self, upload: str) -> None:
        with contextlib.suppress(RegistryError):
            await self._keeper.blobs.discard(upload)
            await self._keeper.metadata.cancel_upload(upload)

    @asynccontextmanager
    async def _alive(self, upload: str) -> AsyncIterator[None]:
        """Show that the upload is alive as long as the block lasts."""

        async def beat() -> None:
            while True:
                await asyncio.sleep(_PULSE)
                with contextlib.suppress(RegistryError):
                    await self._keeper.metadata.touch_upload(upload)

        task = asyncio.create_task(beat())
        try:
            yield
        finally:
            task.cancel()

    # Passing on

    async def _passing(self) -> None:
        """Bring the bytes to those who wait, and keep none."""
        self.growing.give_up_keeping()
        running = hashlib.new(self._digest.algorithm)
        async with aclosing(downloaded(self._place, self._digest, self._size)) as pieces:
            async for start, piece in pieces:
                if not self.growing.is_wanted:
                    raise UpstreamFailed(self._place.client.host, "nobody waits for it any more")
                running.update(piece)
                await self.growing.arrived(start, piece)
        if f"{self._digest.algorithm}:{running.hexdigest()}" != self._digest:
            raise UpstreamFailed(self._place.client.host, f"it sent other bytes than those of {self._digest}")
        self.growing.verified()

    async def _peek(self, start: int, count: int) -> bytes:
        peek = getattr(self._keeper.blobs, "peek", None)
        return await peek(self._upload, start, count) if peek is not None and self._upload else b""

    async def _whole(self) -> OpenBlob:
        return await self._keeper.blobs.open(self._digest)
