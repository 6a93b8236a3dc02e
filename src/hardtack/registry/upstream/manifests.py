"""Manifests through the cache: held ones served, tags asked for again when they are old, new ones verified and kept.

An old tag is compared by HEAD, which upstreams with an allowance do not count. When the upstream cannot be asked, what
is held is served, and said to be stale. When it says that a tag is gone, the tag goes here as well; its manifest stays
under its digest. What cannot be stored is served all the same.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, NamedTuple

from hardtack.oci import mediatypes
from hardtack.oci.digest import Digest
from hardtack.oci.errors import InvalidDigest, InvalidManifest
from hardtack.registry.api.manifests import described
from hardtack.registry.errors import RegistryError
from hardtack.registry.metadata.rows import StoredManifest
from hardtack.registry.metrics import Count
from hardtack.registry.parsing import parsed
from hardtack.registry.upstream import scripts
from hardtack.registry.upstream.client import NotThere, whole
from hardtack.registry.upstream.errors import UpstreamError, UpstreamFailed
from hardtack.registry.upstream.flight import Flights
from hardtack.registry.upstream.freshness import Step, next_step

if TYPE_CHECKING:
    import aiohttp

    from hardtack.registry.upstream.freshness import Known
    from hardtack.registry.upstream.keeping import Keeper
    from hardtack.registry.upstream.place import Place

log = logging.getLogger("hardtack.registry")

_ACCEPT = {"Accept": ", ".join(mediatypes.ACCEPT)}
_POLL = 0.05
_MARGIN = 5.0


class Served(NamedTuple):
    """A manifest to be served.

    Attributes:
        stale: it could not be compared with the upstream's, which may have another by now.
        checked: when it was last; 0.0 when that does not matter.
    """

    manifest: StoredManifest
    stale: bool = False
    checked: float = 0.0


class Manifests:
    """Manifests of all upstreams."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._flights: Flights[Served | None] = Flights()

    async def close(self) -> None:
        """Stop asking."""
        await self._flights.close()

    async def get(self, place: Place, reference: str) -> Served | None:
        """The manifest behind a tag or a digest.

        Returns:
            None when the upstream has none, or the repository is our own.
        Raises:
            UpstreamError: it cannot be asked, and nothing is held.
        """
        known = await self._known(place, reference)
        if known.home == "":
            return None
        step = next_step(known, reference, place.upstream, self._keeper.now())
        if step is not Step.ASK:
            self._keeper.count(Count.UPSTREAM_HITS)
            return _held(known)
        if known.held is not None and (error := place.client.hindrance()) is not None:
            return self._stale(place, reference, known.held, error)
        self._keeper.count(Count.UPSTREAM_MISSES)
        return await self._flights.join((place.repository, reference), lambda: self._in_turn(place, reference))

    async def _known(self, place: Place, reference: str) -> Known:
        return await self._keeper.database.read(scripts.known, place.repository, reference)

    async def _in_turn(self, place: Place, reference: str) -> Served | None:
        """Ask, unless another process does: then wait for what it learns."""
        life = 2 * place.upstream.timeout + _MARGIN
        end = self._keeper.now() + life
        while not await self._keeper.begin_asking(place.repository, reference, life):
            await asyncio.sleep(_POLL)
            known = await self._known(place, reference)
            now = self._keeper.now()
            if next_step(known, reference, place.upstream, now) is not Step.ASK:
                return _held(known)
            if known.found is not None or now > end:
                break  # it has given up
        known = await self._known(place, reference)
        try:
            return await self._ask(place, reference, known)
        except UpstreamError as error:
            if known.held is None:
                self._keeper.count(Count.UPSTREAM_ERRORS)
                raise
            return self._stale(place, reference, known.held, error)
        finally:
            await self._keeper.stop_asking(place.repository, reference)

    def _stale(self, place: Place, reference: str, held: StoredManifest, error: UpstreamError) -> Served:
        self._keeper.count(Count.UPSTREAM_STALE)
        log.warning("%s:%s is served as it was last seen: %s", place.repository, reference, error)
        return Served(held, stale=True)

    async def _ask(self, place: Place, reference: str, known: Known) -> Served | None:
        try:
            if known.held is None or ":" in reference:
                return await self._fetched(place, reference, reference)
            there = await self._compared(place, reference)
            if there == known.held.digest:
                return await self._unchanged(place, reference, known.held)
            if there:
                held = await self._keeper.metadata.manifest(place.repository, there)
                if held is not None:
                    return await self._kept(place, reference, held)
            return await self._fetched(place, reference, there or reference)
        except NotThere:
            await self._keeper.lost(place, reference)
            return None

    async def _compared(self, place: Place, tag: str) -> str:
        """The digest that a tag has at the upstream; "" when it does not say."""
        async with place.client.ask("HEAD", place.name, f"manifests/{tag}", _ACCEPT) as answer:
            return _claimed(answer) or ""

    async def _unchanged(self, place: Place, tag: str, held: StoredManifest) -> Served:
        now = self._keeper.now()
        await self._keeper.saw(place, tag, found=True)
        return Served(held, checked=now)

    async def _fetched(self, place: Place, reference: str, asked: str) -> Served:
        """Fetch a manifest, verify it and keep it.

        Args:
            reference: what the client named.
            asked: how the upstream is asked for it: the same, or the digest that a tag has there.
        """
        host, limit = place.client.host, self._keeper.limits.manifest
        async with place.client.ask("GET", place.name, f"manifests/{asked}", _ACCEPT, counted=True) as answer:
            raw = await whole(answer, limit, host, "a manifest")
            claimed = asked if ":" in asked else _claimed(answer)
            media_type = answer.headers.get("Content-Type", "")
        digest = Digest(claimed) if claimed else Digest.of(raw)
        if claimed and Digest.of(raw, digest.algorithm) != digest:
            raise UpstreamFailed(host, f"it sent a manifest for {claimed} that has another digest")
        return await self._kept(place, reference, StoredManifest(digest, media_type, raw, place.upstream.visibility))

    async def _kept(self, place: Place, reference: str, found: StoredManifest) -> Served:
        media_type = found.media_type.partition(";")[0].strip()
        if media_type in ("application/json", "application/octet-stream", "text/plain"):
            media_type = ""
        digest = Digest(found.digest)
        try:
            meaning = await parsed(found.raw, media_type, digest)
        except InvalidManifest as error:
            raise UpstreamFailed(place.client.host, f"it sent what is no manifest: {error.message}") from None
        found = found._replace(media_type=meaning.media_type)
        checked = self._keeper.now()
        try:
            await self._keeper.keep_manifest(place, described(meaning, digest, True), reference)
        except UpstreamError:
            raise
        except RegistryError as error:
            log.warning("a manifest of %s is not kept: %s", place.repository, error)
            return Served(found)
        return Served(found, checked=checked)


def _held(known: Known) -> Served | None:
    return None if known.held is None else Served(known.held, checked=known.checked)


def _claimed(answer: aiohttp.ClientResponse) -> str | None:
    """The digest that an answer says it has, when that is one."""
    try:
        return Digest(answer.headers.get("Docker-Content-Digest", ""))
    except InvalidDigest:
        return None
