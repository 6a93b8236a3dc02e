"""All pages, by their addresses."""

from __future__ import annotations

from hardtack.registry.web import home, login
from hardtack.registry.web.account import organisations, profile, robots, tokens
from hardtack.registry.web.addresses import Addresses
from hardtack.registry.web.admin import namespaces, overview, users
from hardtack.registry.web.repository import deleted, image, moving, reading, settings, webhooks

ADDRESSES = Addresses(
    {
        **home.PAGES,
        **login.PAGES,
        **profile.PAGES,
        **tokens.PAGES,
        **robots.PAGES,
        **organisations.PAGES,
        **overview.PAGES,
        **users.PAGES,
        **namespaces.PAGES,
    },
    {
        **reading.PAGES,
        **image.PAGES,
        **deleted.PAGES,
        **settings.PAGES,
        **moving.PAGES,
        **webhooks.PAGES,
    },
)
