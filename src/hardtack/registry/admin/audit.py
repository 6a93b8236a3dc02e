"""The audit log by the JSON API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.admin.table import BEFORE, Endpoint, N
from hardtack.registry.events.audit import Entry, entries
from hardtack.registry.metadata.rows import LATEST

if TYPE_CHECKING:
    from hardtack.registry.admin.ask import Ask


async def listing(ask: Ask) -> list[Entry]:
    """Who did what, latest first."""
    ask.expect_admin()
    return await ask.service.database.browse(
        entries, ask.query.get("who", ""), ask.position("before", LATEST), ask.limit()
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "/audit",
        listing,
        "Read the audit log; for admins",
        gives=list[Entry],
        query=(("who", "only what one account did"), BEFORE, N),
    ),
)
