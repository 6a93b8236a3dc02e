"""Blobs through the cache: which ones a repository of an upstream has, and fetching them once for all who ask.

A repository has a blob when a manifest of it that was fetched names it, or when the upstream says so. One that is here
already for another repository is only linked, but never on the word of a manifest: whoever may push to the upstream can
write any digest down, and knowing a digest gives nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hardtack.oci.digest import Digest
from hardtack.oci.errors import InvalidManifest
from hardtack.oci.manifest import Manifest
from hardtack.registry.metrics import Count
from hardtack.registry.parsing import parsed
from hardtack.registry.upstream import scripts
from hardtack.registry.upstream.client import NotThere
from hardtack.registry.upstream.errors import UpstreamFailed
from hardtack.registry.upstream.fetching import Fetch
from hardtack.registry.upstream.flight import Flights

if TYPE_CHECKING:
    from hardtack.registry.upstream.growing import Reader
    from hardtack.registry.upstream.keeping import Keeper
    from hardtack.registry.upstream.place import Place

_AT_ONCE = 16
_PARENTS = 20


class FetchedBlobs:
    """Blobs of all upstreams, in one process."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._sizes: Flights[int | None] = Flights()
        self._links: Flights[bool] = Flights()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._fetches: dict[tuple[str, str], Fetch] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Stop all fetches; what they had is thrown away."""
        await self._sizes.close()
        await self._links.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def offer(self, place: Place, digest: Digest) -> Offer | None:
        """A blob that the repository has though it is not linked here; None when it has none, or is our own.

        Raises:
            UpstreamError: the upstream cannot be asked.
        """
        fetch = self._fetches.get((place.repository, digest))
        size = None if fetch is None else fetch.growing.size
        if size is None:
            size = await self._sizes.join((place.repository, digest), lambda: self._size(place, digest))
        return None if size is None else Offer(self, place, digest, size)

    async def _size(self, place: Place, digest: Digest) -> int | None:
        reference = f"blob {digest}"
        known = await self._keeper.database.read(scripts.known, place.repository, reference)
        if known.home == "":
            return None
        named = await self._named(place.repository, digest)
        if named is not None:
            return named
        if known.found is False and 0 <= self._keeper.now() - known.checked < place.upstream.missing:
            return None
        try:
            async with place.client.ask("HEAD", place.name, f"blobs/{digest}") as answer:
                size = answer.content_length
        except NotThere:
            await self._keeper.saw(place, reference, found=False)
            return None
        if size is None:
            raise UpstreamFailed(place.client.host, "it does not say how large a blob is")
        return size

    async def _named(self, repository: str, digest: Digest) -> int | None:
        """The size of a blob that a manifest of the repository names."""
        for parent, kind in await self._keeper.metadata.parents(repository, digest, _PARENTS):
            held = await self._keeper.metadata.manifest(repository, parent) if kind != "manifest" else None
            if held is None:
                continue
            try:
                meaning = await parsed(held.raw, held.media_type, Digest(parent))
            except InvalidManifest:
                continue
            if isinstance(meaning, Manifest):
                found = next((child.size for child in meaning.children() if child.digest == digest), None)
                if found is not None:
                    return found
        return None

    async def begin(self, place: Place, digest: Digest, size: int, start: int, count: int) -> Reader | None:
        """Join a fetch, or begin one; see `Offer.begin`."""
        key = (place.repository, str(digest))
        fetch = self._fetches.get(key)
        reader = fetch.growing.reader(start, count) if fetch is not None else None
        if reader is None:
            if fetch is None and await self._links.join(key, lambda: self._link(place, digest)):
                self._keeper.count(Count.UPSTREAM_HITS)
                return None
            fetch = self._fetches.get(key)
            reader = fetch.growing.reader(start, count) if fetch is not None else None
        if fetch is None or reader is None:
            self._keeper.count(Count.UPSTREAM_MISSES)
            fetch = Fetch(self._keeper, place, digest, size)
            reader = fetch.growing.reader(start, count)
            self._start(key, fetch)
        try:
            await fetch.growing.began()
        except BaseException:
            if reader is not None:
                reader.close()
            raise
        return reader

    async def _link(self, place: Place, digest: Digest) -> bool:
        """Link a blob that another repository has, if the upstream says that it has it too."""
        if not await self._keeper.is_held(digest):
            return False
        try:
            async with place.client.ask("HEAD", place.name, f"blobs/{digest}"):
                pass
        except NotThere:
            return False
        return await self._keeper.link(place, digest)

    def _start(self, key: tuple[str, str], fetch: Fetch) -> None:
        self._fetches[key] = fetch

        async def run() -> None:
            try:
                await fetch.run(self._slots)
            finally:
                if self._fetches.get(key) is fetch:
                    del self._fetches[key]

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Offer:
    """A blob that can be had.

    Attributes:
        size: in bytes.
    """

    def __init__(self, blobs: FetchedBlobs, place: Place, digest: Digest, size: int) -> None:
        self._blobs = blobs
        self._place = place
        self._digest = digest
        self.size = size

    async def begin(self, start: int, count: int) -> Reader | None:
        """Have it fetched, unless it is being fetched already.

        Returns:
            A reader of the range, to be closed; None when the blob is in the storage after all.
        Raises:
            UpstreamError, BlobUnknown: it cannot be had.
        """
        return await self._blobs.begin(self._place, self._digest, self.size, start, count)
