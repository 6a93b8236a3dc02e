"""The table of the JSON API, put together from its nouns."""

from __future__ import annotations

from hardtack.registry.admin import audit, grants, organisations, repositories, robots, users, webhooks
from hardtack.registry.admin.table import Table

TABLE = Table(
    (
        *users.ENDPOINTS,
        *organisations.ENDPOINTS,
        *robots.ENDPOINTS,
        *grants.ENDPOINTS,
        *repositories.ENDPOINTS,
        *webhooks.ENDPOINTS,
        *audit.ENDPOINTS,
    )
)
