"""The pull-through cache as the rest of the registry sees it: one object per process, asked by the routes.

It is asked only for what the caller may pull. A repository whose row says that it is our own stays our own, whatever
prefix its name begins with.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from hardtack.registry.net.filter import AddressFilter
from hardtack.registry.upstream import scripts
from hardtack.registry.upstream.blobs import FetchedBlobs
from hardtack.registry.upstream.client import Client
from hardtack.registry.upstream.errors import BelongsToUpstream
from hardtack.registry.upstream.keeping import Keeper
from hardtack.registry.upstream.listing import Lists
from hardtack.registry.upstream.manifests import Manifests
from hardtack.registry.upstream.place import Place
from hardtack.registry.upstream.table import UpstreamTable, may_be_fetched

if TYPE_CHECKING:
    from hardtack.oci.digest import Digest
    from hardtack.registry.blobs.interface import Blobs
    from hardtack.registry.config.document import Config
    from hardtack.registry.config.upstreams import Upstream
    from hardtack.registry.metadata.database import Database
    from hardtack.registry.metadata.rows import Referrer
    from hardtack.registry.metadata.store import Metadata
    from hardtack.registry.metrics import Metrics
    from hardtack.registry.upstream.blobs import Offer
    from hardtack.registry.upstream.manifests import Served

_REMEMBERED = 10_000


class Upstreams:
    """All configured upstreams. Close it.

    Raises:
        CannotServe: a file of certificates cannot be used.
    """

    def __init__(self, config: Config, database: Database, metadata: Metadata, blobs: Blobs, metrics: Metrics) -> None:
        self._table = UpstreamTable(config.upstream)
        self._filter = AddressFilter(config.network.allow)
        self._clients: dict[str, Client] = {}
        self._keeper = Keeper(database, metadata, blobs, config.limits, metrics, config.server.read_only)
        self._manifests = Manifests(self._keeper)
        self._blobs = FetchedBlobs(self._keeper)
        self._lists = Lists(self._keeper, self._manifests)
        self._fresh: OrderedDict[tuple[str, str], float] = OrderedDict()
        for upstream in config.upstream:
            self._clients[upstream.prefix] = Client(upstream, self._filter)

    async def close(self) -> None:
        """Stop everything that is under way, and close connections."""
        await self._manifests.close()
        await self._lists.close()
        await self._blobs.close()
        for client in self._clients.values():
            await client.close()

    def named(self, repository: str, ns: str) -> str | None:
        """The name here of a repository that a mirror's client names with `ns=`; see `UpstreamTable.named`."""
        return self._table.named(repository, ns)

    def visibility(self, repository: str) -> str:
        """Who may pull from a repository that is not there yet; "" when it is none of an upstream."""
        remote = self._table.find(repository)
        return "" if remote is None else remote.upstream.visibility

    def is_current(self, repository: str, reference: str) -> bool:
        """Whether what is held may be served without a look at the upstream."""
        if ":" in reference or self._table.find(repository) is None:
            return True
        return self._keeper.now() < self._fresh.get((repository, reference), 0.0)

    async def refuse_push(self, repository: str) -> None:
        """Refuse changes by clients to what belongs to an upstream.

        Raises:
            BelongsToUpstream
        """
        remote = self._table.find(repository)
        if remote is not None and await self._keeper.database.read(scripts.home, repository) != "":
            raise BelongsToUpstream(repository, remote.upstream.origin.authority)

    async def manifest(self, repository: str, reference: str) -> Served | None:
        """The manifest behind a tag or a digest; see `Manifests.get`. None also when it is none of an upstream."""
        place = self._place(repository)
        if place is None:
            return None
        served = await self._manifests.get(place, reference)
        if served is not None and served.checked and ":" not in reference:
            self._remember(repository, reference, served.checked + place.upstream.fresh)
        return served

    def _remember(self, repository: str, tag: str, until: float) -> None:
        self._fresh[repository, tag] = until
        self._fresh.move_to_end((repository, tag))
        if len(self._fresh) > _REMEMBERED:
            self._fresh.popitem(last=False)

    async def blob(self, repository: str, digest: Digest) -> Offer | None:
        """A blob that is not linked here; see `FetchedBlobs.offer`."""
        place = self._place(repository)
        return None if place is None else await self._blobs.offer(place, digest)

    async def tags(self, repository: str) -> list[str] | None:
        """All tags; None when those that are held are to be listed."""
        place = self._place(repository)
        return None if place is None else await self._lists.tags(place)

    async def referrers(self, repository: str, digest: Digest) -> list[Referrer] | None:
        """All referrers; None when those that are held are to be listed."""
        place = self._place(repository)
        return None if place is None else await self._lists.referrers(place, digest)

    def _place(self, repository: str) -> Place | None:
        remote = self._table.find(repository)
        if remote is None or not may_be_fetched(remote):
            return None
        return Place(repository, remote.name, remote.upstream, self._client(remote.upstream))

    def _client(self, upstream: Upstream) -> Client:
        return self._clients[upstream.prefix]
