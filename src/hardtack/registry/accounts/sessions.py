"""Sessions of the pages: begun with a password or by OpenID Connect, known by a cookie, ended by either side.

The cookie is 256 random bits, stored as a hash. Each session has a token of its own that forms must bring back. It ends
12 hours after it was last used, two weeks after it began, and when the account is disabled or its password changed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, NamedTuple

from hardtack.registry.accounts.changes import By, changed, find, is_admin, is_self
from hardtack.registry.accounts.errors import AccountInvalid, TooManyFailures
from hardtack.registry.accounts.passwords import check_password
from hardtack.registry.accounts.rows import USER
from hardtack.registry.accounts.standing import unchanged
from hardtack.registry.accounts.users import store_password
from hardtack.registry.errors import Denied, RegistryError, Unauthorized
from hardtack.registry.events.audit import audit
from hardtack.registry.metadata.script import first

if TYPE_CHECKING:
    from hardtack.registry.access import Caller
    from hardtack.registry.accounts.gate import AccountGate
    from hardtack.registry.accounts.passwords import Passwords
    from hardtack.registry.accounts.rights import Rights
    from hardtack.registry.metadata.database import Database
    from hardtack.registry.metadata.script import Script

IDLE = 12 * 3600.0
LIFE = 14 * 86_400.0
_TOUCH = 60.0


class Session(NamedTuple):
    """Somebody who is logged in to the pages.

    Attributes:
        cookie: what the browser keeps.
        csrf: what every form has to bring back.
        caller: who they are, and what they may now.
    """

    cookie: str
    csrf: str
    caller: Caller


class Sessions:
    """The sessions of one registry."""

    def __init__(self, database: Database, rights: Rights, passwords: Passwords, gate: AccountGate) -> None:
        self._db = database
        self._rights = rights
        self._passwords = passwords
        self._gate = gate

    async def login(self, name: str, password: str, address: str) -> Session:
        """Begin a session with a password; a one-time password begins one that may only choose another.

        Raises:
            Unauthorized, TooManyFailures.
        """
        try:
            proof = await self._gate.verify_password(name, password, address)
            return await self.begin(name, address, "password", proof.stamp)
        except TooManyFailures:
            raise  # whoever has to wait could fill the log meanwhile
        except RegistryError as error:
            now = self._db.now()
            await self._db.note(audit, "", address, "login.failed", name[:64], type(error).__name__, now)
            raise

    async def begin(self, name: str, address: str, how: str, stamp: str = "") -> Session:
        """Begin a session of somebody who has shown who they are.

        Args:
            stamp: of the password by which they did.
        Raises:
            Unauthorized: the account is disabled, or the password was changed meanwhile.
        """
        caller = await self._caller(name)
        cookie, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        await self._db.write(_begin, _id(cookie), name, csrf, address, how, stamp, self._db.now())
        return Session(cookie, csrf, caller)

    async def session(self, cookie: str) -> Session | None:
        """The session of a cookie; None when there is none any more."""
        if not 20 < len(cookie) < 100:
            return None
        now = self._db.now()
        row = await self._db.read(_find, _id(cookie))
        if row is None or row.expires <= now or row.seen + IDLE <= now:
            return None
        try:
            caller = await self._caller(row.name)
        except Unauthorized:
            return None
        if now - row.seen > _TOUCH:
            await self._db.note(_touch, _id(cookie), now)
        return Session(cookie, row.csrf, caller)

    async def logout(self, cookie: str) -> None:
        """End a session."""
        await self._db.write(_end, _id(cookie))

    async def end_all(self, by: By, name: str) -> None:
        """End every session of an account, and what docker keeps for it. Raises Denied, AccountUnknown."""
        if not (is_self(by.caller, name) or is_admin(by.caller)):
            raise Denied("administer", name)
        await self._db.write(_end_all, by, name, self._db.now())

    async def change_password(self, session: Session, old: str, new: str, address: str) -> None:
        """Choose another password. Every other session of the account, and what docker keeps for it, ends.

        Raises:
            Unauthorized: the old one is wrong; TooManyFailures; AccountInvalid: the new one is no good.
        """
        name = session.caller.name
        check_password(name, new)
        await self._gate.verify_password(name, old, address)
        if hmac.compare_digest(old.encode(), new.encode()):
            raise AccountInvalid("the new password is the old one")
        hashed = await self._passwords.hash(new)
        by = By.of(session.caller, address)
        await self._db.write(store_password, by, name, hashed, False, _id(session.cookie), self._db.now())
        self._rights.ask_again()

    async def _caller(self, name: str) -> Caller:
        standing = await self._rights.standing(name, await self._rights.number())
        if standing is None or standing.kind != USER or not standing.active:
            raise Unauthorized("the account is disabled", "Ask an admin of the registry")
        return standing.caller()


def is_csrf(session: Session, given: str) -> bool:
    """Whether a form brought back the session's token."""
    return hmac.compare_digest(session.csrf.encode(), given.encode("utf-8", "replace"))


class _Row(NamedTuple):
    name: str
    csrf: str
    seen: float
    expires: float


def _id(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).hexdigest()


def _begin(identity: str, name: str, csrf: str, address: str, how: str, stamp: str, now: float) -> Script[None]:
    account = (yield from unchanged(name, stamp)) if stamp else (yield from find(name, USER))
    yield (
        "INSERT INTO session (id, account, csrf, created, seen, expires) VALUES (?, ?, ?, ?, ?, ?)",
        (identity, account, csrf, now, now, now + LIFE),
    )
    yield "UPDATE account SET seen = ? WHERE id = ?", (now, account)
    yield from audit(name, address, "login", name, how, now)


def _find(identity: str) -> Script[_Row | None]:
    row = yield from first(
        "SELECT a.name, s.csrf, s.seen, s.expires FROM session s JOIN account a ON a.id = s.account WHERE s.id = ?",
        identity,
    )
    return None if row is None else _Row._make(row)


def _touch(identity: str, now: float) -> Script[None]:
    yield "UPDATE session SET seen = ? WHERE id = ?", (now, identity)


def _end(identity: str) -> Script[None]:
    yield "DELETE FROM session WHERE id = ?", (identity,)


def _end_all(by: By, name: str, now: float) -> Script[None]:
    account = yield from find(name, USER)
    yield "DELETE FROM session WHERE account = ?", (account,)
    yield "DELETE FROM token WHERE account = ? AND kind = 'refresh'", (account,)
    yield from changed(by, "user.logout", name, "everywhere", now)


def drop_ended(now: float) -> Script[None]:
    """Forget sessions that are over."""
    yield "DELETE FROM session WHERE expires < ? OR seen < ?", (now, now - IDLE)
