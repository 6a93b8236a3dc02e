"""Lists through the cache: the tags of a repository and what refers to a manifest, as the upstream has them.

Upstreams page as they like, so a list is fetched whole, up to a bound, kept for as long as a tag is fresh, and paged
here as every list is. When the upstream cannot be asked, None tells to list what is held.

Source: OCI distribution-spec 1.1, "Listing Tags", "Listing Referrers", "Referrers Tag Schema".
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit

import msgspec

from hardtack.oci import mediatypes
from hardtack.oci.errors import InvalidManifest
from hardtack.oci.manifest import Index, parse_manifest
from hardtack.registry.metadata.rows import Referrer
from hardtack.registry.names import is_tag
from hardtack.registry.upstream import scripts
from hardtack.registry.upstream.client import NotThere, whole
from hardtack.registry.upstream.errors import UpstreamError, UpstreamFailed
from hardtack.registry.upstream.flight import Flights
from hardtack.remote.headers import next_link

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from hardtack.oci.digest import Digest
    from hardtack.registry.upstream.keeping import Keeper
    from hardtack.registry.upstream.manifests import Manifests
    from hardtack.registry.upstream.place import Place

T = TypeVar("T")

_PAGES = 200
_PAGE_LIMIT = 4 << 20
_TAGS = 200_000
_LISTS = 200
_ENTRIES = 1_000_000


class Lists:
    """Lists of all upstreams, in one process."""

    def __init__(self, keeper: Keeper, manifests: Manifests) -> None:
        self._keeper = keeper
        self._manifests = manifests
        self._tags: _Remembered[str] = _Remembered()
        self._referrers: _Remembered[Referrer] = _Remembered()

    async def close(self) -> None:
        """Stop asking."""
        await self._tags.flights.close()
        await self._referrers.flights.close()

    async def tags(self, place: Place) -> list[str] | None:
        """All tags in the order of their bytes; None when those that are held are to be listed."""
        return await self._listed(place, self._tags, place.repository, lambda: self._fetched_tags(place))

    async def referrers(self, place: Place, digest: Digest) -> list[Referrer] | None:
        """Everything that refers to a manifest, in the order of the digests; None as for tags."""
        key = f"{place.repository}@{digest}"
        return await self._listed(place, self._referrers, key, lambda: self._fetched_referrers(place, digest))

    async def _listed(
        self, place: Place, remembered: _Remembered[T], key: str, fetch: Callable[[], Awaitable[list[T]]]
    ) -> list[T] | None:
        home = await self._keeper.database.read(scripts.home, place.repository)
        if home == "":
            return None
        try:
            return await remembered.get(key, self._keeper.now, place.upstream.fresh, fetch)
        except UpstreamError:
            if home is None:
                raise
        except NotThere:
            pass
        return None

    async def _fetched_tags(self, place: Place) -> list[str]:
        found: set[str] = set()
        async for page in _pages(place, "tags/list?n=1000", {"Accept": "application/json"}):
            names = page.get("tags") or []
            if not isinstance(names, list):
                raise UpstreamFailed(place.client.host, "its list of tags is none")
            found.update(name for name in names if isinstance(name, str) and is_tag(name))
            if len(found) > _TAGS:
                raise UpstreamFailed(place.client.host, f"it lists more than {_TAGS:,} tags")
        return sorted(found)

    async def _fetched_referrers(self, place: Place, digest: Digest) -> list[Referrer]:
        found: dict[str, Referrer] = {}
        try:
            async for page in _pages(place, f"referrers/{digest}", {"Accept": mediatypes.OCI_INDEX}):
                _add(place, found, msgspec.json.encode(page))
        except NotThere:
            # An older registry: what refers to it is listed under a tag, if at all.
            served = await self._manifests.get(place, f"{digest.algorithm}-{digest.hex[:64]}")
            if served is not None:
                _add(place, found, served.manifest.raw)
        return [found[key] for key in sorted(found)]


async def _pages(place: Place, path: str, headers: dict[str, str]) -> AsyncIterator[dict[str, Any]]:
    """The pages of a list, one after the other."""
    prefix = f"/v2/{place.name}/"
    for _ in range(_PAGES):
        async with place.client.ask("GET", place.name, path, headers) as answer:
            raw = await whole(answer, _PAGE_LIMIT, place.client.host, "a page of a list")
            links = answer.headers.getall("Link", [])
        try:
            yield msgspec.json.decode(raw, type=dict[str, Any])
            link = next_link(links)
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            raise UpstreamFailed(place.client.host, f"a page of its list cannot be read: {error}") from None
        if link is None:
            return
        parts = urlsplit(link)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        if target.startswith("?") or not target.startswith("/"):
            target = f"{prefix}{path.partition('?')[0]}?{parts.query}"
        if not target.startswith(prefix) or ".." in target or not target.isascii():
            raise UpstreamFailed(place.client.host, "the next page of its list is elsewhere")
        path = target.removeprefix(prefix)
    raise UpstreamFailed(place.client.host, f"its list has more than {_PAGES} pages")


def _add(place: Place, found: dict[str, Referrer], raw: bytes) -> None:
    try:
        index = parse_manifest(raw)
    except InvalidManifest as error:
        raise UpstreamFailed(place.client.host, f"its list of referrers is none: {error.message}") from None
    if not isinstance(index, Index):
        raise UpstreamFailed(place.client.host, "its list of referrers is none")
    for one in index.manifests:
        annotations = msgspec.json.encode(one.annotations).decode() if one.annotations else ""
        digest = str(one.digest)
        found[digest] = Referrer(digest, one.media_type, one.size, one.artifact_type, annotations)


class _Remembered(Generic[T]):
    """Lists that were fetched a moment ago; those asked for last, and not too many entries in all."""

    def __init__(self) -> None:
        self.flights: Flights[list[T]] = Flights()
        self._lists: OrderedDict[str, tuple[float, list[T]]] = OrderedDict()
        self._entries = 0

    async def get(
        self, key: str, now: Callable[[], float], fresh: float, fetch: Callable[[], Awaitable[list[T]]]
    ) -> list[T]:
        """A list, fetched unless it is fresh."""
        moment, found = self._lists.get(key, (0.0, []))
        if 0 <= now() - moment < fresh:
            self._lists.move_to_end(key)
            return found

        async def work() -> list[T]:
            found = await fetch()
            self._keep(key, now(), found)
            return found

        return await self.flights.join(key, work)

    def _keep(self, key: str, moment: float, found: list[T]) -> None:
        self._entries += len(found) - len(self._lists.pop(key, (0.0, []))[1])
        self._lists[key] = moment, found
        while len(self._lists) > _LISTS or (self._entries > _ENTRIES and len(self._lists) > 1):
            _, (_, gone) = self._lists.popitem(last=False)
            self._entries -= len(gone)
