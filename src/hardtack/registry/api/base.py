"""`/v2/`: yes, this is a registry; and `/v2/_catalog`: which repositories the caller may pull from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.access import lists
from hardtack.registry.api.answers import reply, reply_json
from hardtack.registry.api.paging import next_link, page_size

if TYPE_CHECKING:
    from aiohttp import web

    from hardtack.registry.service import Call


async def version(call: Call) -> web.StreamResponse:
    """Answer the version check."""
    del call
    return reply(200, body=b"{}")


async def catalog(call: Call) -> web.StreamResponse:
    """List repositories, those that the caller may pull from and no others."""
    limit = page_size(call.parameter("n"))
    names = await visible(call, call.parameter("last") or "", limit + 1) if limit else []
    headers = {}
    if len(names) > limit:
        names = names[:limit]
        headers["Link"] = next_link("/v2/_catalog", limit, names[-1])
    return reply_json({"repositories": names}, headers)


async def visible(call: Call, after: str, limit: int) -> list[str]:
    """Names of repositories after one that the caller may pull from, at most `limit`."""
    names: list[str] = []
    while len(names) < limit:
        page = await call.service.metadata.repositories(after, limit)
        names += [name for name, visibility in page if lists(call.caller, name, visibility)]
        if len(page) < limit:
            break
        after = page[-1][0]
    return names[:limit]
