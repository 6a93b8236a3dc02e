"""`/v2/<name>/tags/list`: the tags of a repository, in the order of their bytes, by pages.

Source: OCI distribution-spec 1.1, "Listing Tags".
"""

from __future__ import annotations

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
    metadata, repository = call.service.metadata, call.repository
    names = await metadata.tag_names(repository, call.parameter("last") or "", limit + 1) if limit else []
    if not names and not await metadata.has_repository(repository):
        raise RepositoryUnknown(repository)
    headers = {}
    if len(names) > limit:
        names = names[:limit]
        headers["Link"] = next_link(f"/v2/{repository}/tags/list", limit, names[-1])
    return reply_json({"name": repository, "tags": names}, headers)
