"""The registry at a glance, and who did what in it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from hardtack.registry.events.audit import entries
from hardtack.registry.metadata.rows import LATEST
from hardtack.registry.web import guards
from hardtack.registry.web.admin.common import ADMIN_TABS, PAGE
from hardtack.registry.web.page import Page, Shown

if TYPE_CHECKING:
    from hardtack.registry.web.visit import Visit

_SHOWN = 8


async def overview(visit: Visit) -> Shown:
    """Totals, and the latest entries of the audit log."""
    database, config = visit.service.database, visit.service.config
    return Shown(
        "admin/overview.html",
        {
            "totals": await visit.service.metadata.totals(),
            "entries": await database.browse(entries, "", LATEST, _SHOWN),
            "default_visibility": config.access.default_visibility,
            "undelete": config.retention.undelete,
            "read_only": visit.service.read_only,
            "upstreams": [one.prefix for one in config.upstream],
            "tabs": ADMIN_TABS,
            "tab": "/admin",
        },
    )


async def audit(visit: Visit) -> Shown:
    """Who did what, latest first."""
    who = visit.query.get("who", "").strip()[:100]
    found = await visit.service.database.browse(entries, who, visit.before, PAGE + 1)
    following = found[PAGE - 1].id if len(found) > PAGE else 0
    return Shown(
        "admin/audit.html",
        {
            "who": who,
            "entries": found[:PAGE],
            "next": f"/admin/audit?who={quote(who)}&before={following}" if following else "",
            "tabs": ADMIN_TABS,
            "tab": "/admin/audit",
        },
    )


PAGES = {"/admin": Page(overview, guards.admins), "/admin/audit": Page(audit, guards.admins)}
