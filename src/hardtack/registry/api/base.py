"""`/v2/`: yes, this is a registry; and `/v2/_catalog`: which repositories the caller may pull from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.api.answers import reply, reply_json
from hardtack.registry.api.paging import next_link, page_size
from hardtack.registry.errors import Unauthorized
from hardtack.registry.repositories import finding

if TYPE_CHECKING:
    from aiohttp import web

    from hardtack.registry.service import Call


async def version(call: Call) -> web.StreamResponse:
    """Answer the version check."""
    del call
    return reply(200, body=b"{}")


async def catalog(call: Call) -> web.StreamResponse:
    """List repositories, those that the caller may pull from and no others.

    Raises:
        Unauthorized: the token was made for something else; its client gets another one (`podman search` has to).
    """
    claims = call.caller.claims
    if claims is not None and not claims.catalog:
        raise Unauthorized("the token was not made for the catalog", "Ask for another one", "insufficient_scope")
    limit = page_size(call.parameter("n"))
    after = call.parameter("last") or ""
    names = await call.service.database.browse(finding.names, call.caller, after, limit + 1) if limit else []
    headers = {}
    if len(names) > limit:
        names = names[:limit]
        headers["Link"] = next_link("/v2/_catalog", limit, names[-1])
    return reply_json({"repositories": names}, headers)
