"""`/v2/<name>/tags/list`: the tags of a repository, in the order of their bytes, by pages.

Source: OCI distribution-spec 1.1, "Listing Tags".
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from hardtack.registry.api.answers import reply_json
from hardtack.registry.api.paging import next_link, page_size
from hardtack.registry.errors import RepositoryUnknown

if TYPE_CHECKING:
    from aiohttp import web

    from hardtack.registry.service import Call


async def listing(call: Call) -> web.StreamResponse:
    """List tags."""
    limit = page_size(call.parameter("n"))
    repository = call.repository
    names = await _names(call, call.parameter("last") or "", limit + 1) if limit else []
    if not names and not await _exists(call):
        raise RepositoryUnknown(repository)
    headers = {}
    if len(names) > limit:
        names = names[:limit]
        headers["Link"] = next_link(f"/v2/{repository}/tags/list", limit, names[-1])
    return reply_json({"name": repository, "tags": names}, headers)


async def _names(call: Call, after: str, limit: int) -> list[str]:
    """Tags after one: those of the upstream where the repository comes from one, else those that are held."""
    upstreams = call.service.upstreams
    there = None if upstreams is None else await upstreams.tags(call.repository)
    if there is None:
        return await call.service.metadata.tag_names(call.repository, after, limit)
    start = bisect_right(there, after)
    return there[start : start + limit]


async def _exists(call: Call) -> bool:
    """Whether there is such a repository: here, or at its upstream."""
    if await call.service.metadata.has_repository(call.repository):
        return True
    upstreams = call.service.upstreams
    return upstreams is not None and await upstreams.tags(call.repository) is not None
