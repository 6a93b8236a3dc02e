"""The collector: while the registry serves, in small steps, it forgets what nothing needs and frees its space.

One process at a time does it, of all that share the database. What is kept is decided by the metadata inside their
transactions; between two steps everything else goes on. An upload in flight holds what it claims, and the repository
that it goes to keeps its blobs.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardtack.registry.errors import RegistryError
from hardtack.registry.events.webhooks import drop_events
from hardtack.registry.metrics import Count
from hardtack.registry.repositories.store import Repositories
from hardtack.registry.repositories.undelete import Undelete

if TYPE_CHECKING:
    from hardtack.registry.service import Service

log = logging.getLogger("hardtack.registry")

_BREATH = 0.02
_EVENTS = 500
_SELDOM = 20  # every so many rounds, what needs a look at whole tables or folders


@dataclass(slots=True)
class Freed:
    """What a round has done.

    Attributes:
        size: bytes of blobs that are gone.
    """

    uploads: int = 0
    graves: int = 0
    links: int = 0
    blobs: int = 0
    size: int = 0
    repositories: int = 0


class Collector:
    """The collection of one registry."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def run(self) -> None:
        """Collect for ever, round after round."""
        rounds = 0
        while True:
            await asyncio.sleep(self._service.limits.pause)
            try:
                async with self._service.database.alone("collector") as ours:
                    if ours:
                        await self.collect(thorough=rounds % _SELDOM == 0)
                        rounds += 1
            except RegistryError as error:
                log.warning("collection stopped for now: %s", error)

    async def collect(self, thorough: bool = True) -> Freed:
        """Do one round.

        Args:
            thorough: look also for uploads without a session and for empty repositories.
        """
        freed = Freed()
        await self._uploads(freed, thorough)
        await self._deleted(freed)
        metadata, grace = self._service.metadata, self._service.limits.grace
        while dropped := await metadata.drop_links(grace):
            freed.links += dropped
            await asyncio.sleep(_BREATH)
        while gone := await metadata.drop_blobs(grace, self._service.blobs.remove):
            freed.blobs += len(gone)
            size = sum(size for _, size in gone)
            freed.size += size
            self._service.metrics.add(Count.COLLECTED_BLOBS, len(gone))
            self._service.metrics.add(Count.COLLECTED_BYTES, size)
            await asyncio.sleep(_BREATH)
        await self._service.blobs.sweep()
        if not self._service.config.webhooks.enabled:
            while await self._service.database.free(drop_events, _EVENTS):
                await asyncio.sleep(_BREATH)
        if thorough:
            while names := await metadata.drop_repositories(grace):
                freed.repositories += len(names)
                await asyncio.sleep(_BREATH)
        self._service.metrics.add(Count.COLLECTIONS)
        if freed.blobs:
            log.info("collected %d blobs, %d bytes", freed.blobs, freed.size)
        return freed

    async def _deleted(self, freed: Freed) -> None:
        """What can no longer be brought back, and what is left of repositories that were deleted."""
        kept = self._service.config.retention.undelete
        # On a full disk one deletes to make room, and not to be able to change one's mind.
        undelete = Undelete(self._service.database, 0.0 if self._service.blobs.is_tight() else kept)
        while expired := await undelete.expire():
            freed.graves += expired
            await asyncio.sleep(_BREATH)
        repositories = Repositories(self._service.database)
        while await repositories.take_apart():
            await asyncio.sleep(_BREATH)

    async def _uploads(self, freed: Freed, thorough: bool) -> None:
        metadata, blobs, life = self._service.metadata, self._service.blobs, self._service.limits.upload_life
        while old := await metadata.drop_uploads(life):
            for upload in old:
                freed.uploads += await blobs.discard(upload)
            await asyncio.sleep(_BREATH)
        if thorough:
            for upload in await blobs.abandoned(life):
                if await metadata.upload(upload) is None:
                    freed.uploads += await blobs.discard(upload)
