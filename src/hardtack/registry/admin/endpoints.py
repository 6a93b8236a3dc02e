"""The table of the JSON API, put together from its nouns."""

from __future__ import annotations

from hardtack.registry.admin import accounts, audit, repositories, webhooks
from hardtack.registry.admin.table import Table

TABLE = Table((*accounts.ENDPOINTS, *repositories.ENDPOINTS, *webhooks.ENDPOINTS, *audit.ENDPOINTS))
