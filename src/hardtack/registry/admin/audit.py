"""The audit log by the JSON API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.admin.table import Endpoint
from hardtack.registry.events.audit import Entry, entries

if TYPE_CHECKING:
    from hardtack.registry.admin.table import Ask


async def listing(ask: Ask) -> list[Entry]:
    """Who did what, latest first."""
    ask.expect_admin()
    before = ask.query.get("before", "")
    last = int(before) if before.isascii() and before.isdigit() and len(before) < 18 else 1 << 62
    return await ask.service.database.browse(entries, ask.query.get("who", ""), last, ask.limit())


ENDPOINTS = (
    Endpoint(
        "GET",
        "/audit",
        listing,
        "Read the audit log; for admins",
        gives=list[Entry],
        query=(
            ("who", "only what one account did"),
            ("before", "the number before which the page begins"),
            ("n", "at most so many, 100 without it, up to 1000"),
        ),
    ),
)
