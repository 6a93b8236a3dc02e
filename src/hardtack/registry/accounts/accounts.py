"""Everything about accounts of one registry in one process, put together; and what has to be done from time to time."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hardtack.registry.accounts import personal, sessions, throttle
from hardtack.registry.accounts.gate import AccountGate
from hardtack.registry.accounts.issuer import Issuer
from hardtack.registry.accounts.keys import Keys
from hardtack.registry.accounts.organisations import Organisations
from hardtack.registry.accounts.passwords import Passwords
from hardtack.registry.accounts.permissions import Permissions
from hardtack.registry.accounts.personal import PersonalTokens
from hardtack.registry.accounts.rights import Rights
from hardtack.registry.accounts.robots import Robots
from hardtack.registry.accounts.sessions import Sessions
from hardtack.registry.accounts.teams import Teams
from hardtack.registry.accounts.throttle import Throttle
from hardtack.registry.accounts.users import Users
from hardtack.registry.errors import CannotServe, RegistryError

if TYPE_CHECKING:
    from hardtack.registry.accounts.oidc import Oidc
    from hardtack.registry.config.document import Config
    from hardtack.registry.metadata.database import Database

log = logging.getLogger("hardtack.registry")

_PAUSE = 30.0
_SERVICE = "hardtack"


class Accounts:
    """See the module. Belongs to one event loop.

    Attributes:
        users, organisations, teams, robots, tokens, permissions: to administer them.
        gate: identifies callers of the API.
        sessions: of the pages.
        issuer, keys: of docker's tokens.
        oidc: login to the pages by a provider; None when none is configured.
    """

    def __init__(self, database: Database, config: Config) -> None:
        reserved = frozenset(upstream.prefix.partition("/")[0] for upstream in config.upstream)
        self._db = database
        self.passwords = Passwords()
        self.rights = Rights(database)
        self.users = Users(database, self.passwords, reserved)
        self.organisations = Organisations(database, reserved)
        self.teams = Teams(database)
        self.robots = Robots(database)
        self.tokens = PersonalTokens(database)
        self.permissions = Permissions(database)
        self.keys = Keys(database)
        self.issuer = Issuer(database, self.keys, service_name(config), config.access.token_life)
        self.gate = AccountGate(database, self.rights, self.passwords, Throttle(database), self.issuer)
        self.sessions = Sessions(database, self.rights, self.passwords, self.gate)
        self.oidc: Oidc | None = _oidc(database, self, config) if config.oidc.issuer else None

    async def run(self) -> None:
        """Keep order until cancelled."""
        while True:
            await asyncio.sleep(_PAUSE)
            try:
                await self.look_after()
            except RegistryError as error:
                log.warning("accounts: %s", error)

    async def look_after(self) -> None:
        """Write down what was used; and, one process of all, change keys and forget what is over."""
        await self.note_used()
        async with self._db.alone("accounts") as ours:
            if ours:
                now = self._db.now()
                await self.keys.rotate(self.issuer.life)
                await self._db.note(throttle.drop_old, now)
                await self._db.note(sessions.drop_ended, now)
                await self._db.note(personal.drop_expired, now)

    async def note_used(self) -> None:
        """Write down which tokens were used, and when."""
        gate = self.gate
        used, met, gate.used, gate.met = gate.used, gate.met, {}, {}
        if used or met:
            await self._db.note(personal.note_used, used, met)

    async def close(self) -> None:
        """Write down what there is, and end the threads."""
        try:
            await self.note_used()
        except RegistryError as error:
            log.warning("accounts: %s", error)
        self.passwords.close()
        if self.oidc is not None:
            await self.oidc.close()


def _oidc(database: Database, accounts: Accounts, config: Config) -> Oidc:
    try:
        from hardtack.registry.accounts.oidc import Oidc
    except ImportError as error:
        raise CannotServe(
            f"cannot serve logins by OpenID Connect: the Python module {error.name} is missing",
            "Install hardtack[oidc], or leave [oidc] out",
        ) from error
    return Oidc(database, accounts, config)


def service_name(config: Config) -> str:
    """What tokens call this registry."""
    return config.access.token_service or urlsplit(config.server.url).netloc or _SERVICE
