"""Whether a registry is open to all who can reach it or asks who they are, decided once at its start.

It is open when that was asked for, and on an address that only this machine can reach as long as nobody has an account
and no configuration says anything. Otherwise there are accounts, and the first start makes the first of them.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from hardtack.registry.errors import CannotServe
from hardtack.registry.server.stores import open_stores

if TYPE_CHECKING:
    from hardtack.registry.config.document import Config
    from hardtack.registry.server.settings import Settings

OPEN, ACCOUNTS, EXTERNAL = "open", "accounts", "external"


def admitted(settings: Settings) -> Settings:
    """The settings with the mode decided; what they need in the database is there.

    Raises:
        CannotServe: everybody is to be let in to a registry that has accounts, or it is half of a copy.
    """
    exists = asyncio.run(_has_accounts(settings.config))
    if settings.open_to_all and exists:
        raise CannotServe(
            "cannot open this registry to everybody: it has accounts, whose private images would be private no more",
            "Leave out --open, or serve another --root",
        )
    return replace(settings, mode=_mode(settings, exists))


def _mode(settings: Settings, exists: bool) -> str:
    if settings.open_to_all:
        return OPEN
    if settings.config.access.token_server:
        return EXTERNAL
    return ACCOUNTS if settings.accounts or exists or not settings.on_loopback else OPEN


async def _has_accounts(config: Config) -> bool:
    from hardtack.registry.accounts.first import has_accounts
    from hardtack.registry.maintenance.importing import expect_whole

    async with open_stores(config) as stores:
        await expect_whole(stores.database)
        return await has_accounts(stores.database)


def first_password(settings: Settings) -> str:
    """Make the first admin where there are to be accounts and are none.

    Returns:
        The one-time password, to be shown once; "" when nobody was made.
    """
    if settings.mode == OPEN or settings.config.server.read_only:
        return ""
    return asyncio.run(_first(settings.config))


async def _first(config: Config) -> str:
    from hardtack.registry.accounts.first import first_admin
    from hardtack.registry.accounts.passwords import Passwords

    passwords = Passwords()
    try:
        async with open_stores(config) as stores:
            return await first_admin(stores.database, passwords)
    finally:
        passwords.close()
