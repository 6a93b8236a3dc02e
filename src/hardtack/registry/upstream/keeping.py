"""Writing down what was fetched and what was learnt, where anything may be written at all.

In read-only mode nothing is, and everything is fetched anew. Content is written durably, what is only a memory of the
upstream is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.errors import RegistryError
from hardtack.registry.upstream import scripts

if TYPE_CHECKING:
    from hardtack.registry.blobs.interface import Blobs
    from hardtack.registry.config.limits import Limits
    from hardtack.registry.metadata.database import Database
    from hardtack.registry.metadata.rows import NewManifest
    from hardtack.registry.metadata.store import Metadata
    from hardtack.registry.metrics import Count, Metrics
    from hardtack.registry.upstream.place import Place

_FULL = 30.0  # seconds until it is tried again whether there is room


class Keeper:
    """What the cache writes with.

    Args:
        read_only: nothing is to be changed.
    """

    def __init__(
        self,
        database: Database,
        metadata: Metadata,
        blobs: Blobs,
        limits: Limits,
        metrics: Metrics,
        read_only: bool,
    ) -> None:
        self.database = database
        self.metadata = metadata
        self.blobs = blobs
        self.limits = limits
        self._metrics = metrics
        self._read_only = read_only
        self._full_until: dict[str, float] = {}

    def now(self) -> float:
        """Seconds since 1970."""
        return self.database.now()

    def count(self, count: Count) -> None:
        """Something has happened."""
        self._metrics.add(count)

    def can_keep(self, place: Place) -> bool:
        """Whether blobs of an upstream are stored at present."""
        return not self._read_only and self.now() >= self._full_until.get(place.upstream.prefix, 0.0)

    def is_full(self, place: Place) -> None:
        """Something could not be stored, for the disk or for a quota: do not try again at once."""
        self._full_until[place.upstream.prefix] = self.now() + _FULL

    async def begin_asking(self, repository: str, reference: str, life: float) -> bool:
        """Be the one of all processes who asks; without a memory to write to, everybody is."""
        if self._read_only:
            return True
        try:
            return await self.database.note(scripts.begin_asking, repository, reference, self.now(), life)
        except RegistryError:
            return True

    async def stop_asking(self, repository: str, reference: str) -> None:
        """Let others ask, if nothing was learnt."""
        await self._remember(scripts.stop_asking, repository, reference)

    async def saw(self, place: Place, reference: str, found: bool) -> None:
        """The upstream has something, or not."""
        await self._remember(scripts.saw, place.repository, reference, found, self.now())

    async def lost(self, place: Place, reference: str) -> None:
        """The upstream has no such manifest: forget a tag that pointed to one."""
        await self._remember(scripts.lost, place.repository, reference, who(place), self.now())

    async def _remember(self, script: scripts.Change, *values: object) -> None:
        if self._read_only:
            return
        try:
            await self.database.note(script, *values)
        except RegistryError:
            return  # it will be asked again

    async def keep_manifest(self, place: Place, manifest: NewManifest, reference: str) -> None:
        """Store a manifest. Raises what the database does."""
        if self._read_only:
            return
        tag = "" if ":" in reference else reference
        url, visibility = place.upstream.url, place.upstream.visibility
        await self.database.write(
            scripts.keep_manifest, place.repository, url, visibility, manifest, tag, who(place), self.now()
        )

    async def is_held(self, digest: str) -> bool:
        """Whether any repository has a blob."""
        return bool(await self.metadata.linked_in(digest, limit=1))

    async def link(self, place: Place, digest: str) -> bool:
        """Give a repository a blob that another one has. Returns whether it is there to be served."""
        found = await self.metadata.linked_in(digest, limit=1)
        if not found or self._read_only:
            return bool(found)
        url, visibility = place.upstream.url, place.upstream.visibility
        return await self.database.write(
            scripts.link, place.repository, url, visibility, digest, found[0][0], self.now()
        )

    async def finish_blob(self, place: Place, upload: str, digest: str, size: int) -> None:
        """Link a blob that was fetched."""
        url, visibility = place.upstream.url, place.upstream.visibility
        await self.database.write(
            scripts.finish_blob, place.repository, url, visibility, upload, digest, size, self.now()
        )


def who(place: Place) -> str:
    """Who is written down as having pushed what was fetched; no account is called that."""
    return f"@{place.client.host}"
