"""Robots: accounts of programs, owned by a user or an organisation, with one secret and no password.

A robot may nothing but what was granted to it. Its name is its owner's and its own, `team+ci`, and it logs in with both
and its secret. It is disabled with its owner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.accounts import personal, tokens, users
from hardtack.registry.accounts.changes import By, changed, find, need_rule
from hardtack.registry.accounts.errors import AccountConflict, AccountUnknown
from hardtack.registry.accounts.listing import account, accounts
from hardtack.registry.accounts.names import check_part
from hardtack.registry.accounts.permissions import check_grants, write
from hardtack.registry.accounts.rows import ORGANISATION, ROBOT, USER, Account
from hardtack.registry.metadata.script import first

if TYPE_CHECKING:
    from hardtack.registry.access import Grant
    from hardtack.registry.metadata.database import Database
    from hardtack.registry.metadata.script import Script

_PER_OWNER = 1000


class Robots:
    """See the module. An owner's robots are their own business, and that of who administers the namespace."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def create(
        self, by: By, owner: str, part: str, grants: tuple[Grant, ...] = (), life: float | None = None, title: str = ""
    ) -> tuple[str, Account]:
        """Make a robot.

        Args:
            part: its own name.
            grants: what it may from the beginning; who asks must administer these patterns.
            life: of its secret, in seconds; None for ever.
        Returns:
            Its secret, to be shown once, and the account.
        Raises:
            Denied, AccountInvalid, AccountUnknown, AccountConflict.
        """
        need_rule(by, owner)
        check_part(part, "name of a robot")
        users.check_texts(title, "")
        check_grants(by, grants)
        text, secret = tokens.make(tokens.ROBOT)
        now = self._db.now()
        until = None if life is None else now + life
        return text, await self._db.write(_create, by, owner, part, grants, secret, until, title, now)

    async def rotate(self, by: By, name: str, life: float | None = None) -> str:
        """Give a robot another secret; the old one is no good from this moment. Raises Denied, AccountUnknown."""
        need_rule(by, name.partition("+")[0])
        text, secret = tokens.make(tokens.ROBOT)
        now = self._db.now()
        await self._db.write(_rotate, by, name, secret, None if life is None else now + life, now)
        return text

    async def set_active(self, by: By, name: str, active: bool) -> None:
        """Disable a robot, or enable it again. Raises Denied, AccountUnknown."""
        need_rule(by, name.partition("+")[0])
        await self._db.write(_set_active, by, name, active, self._db.now())

    async def delete(self, by: By, name: str) -> None:
        """Delete a robot. Raises Denied, AccountUnknown."""
        need_rule(by, name.partition("+")[0])
        await self._db.write(_delete, by, name, self._db.now())

    async def all(self, owner: str) -> list[Account]:
        """The robots of an owner, by name."""
        return await self._db.browse(robots, owner)


def robots(owner: str) -> Script[list[Account]]:
    """The robots of an owner; "" for those of everybody."""
    found = yield from accounts(ROBOT, f"{owner}+" if owner else "", "", 10 * _PER_OWNER)
    return [account for account in found if not owner or account.owner == owner]


def _create(
    by: By,
    owner: str,
    part: str,
    grants: tuple[Grant, ...],
    secret: tokens.Secret,
    until: float | None,
    title: str,
    now: float,
) -> Script[Account]:
    name = f"{owner}+{part}"
    belongs = yield from find(owner, USER, ORGANISATION)
    rows = yield "SELECT count(*) FROM account WHERE owner = ?", (belongs,)
    if rows[0][0] >= _PER_OWNER:
        raise AccountConflict(f"{owner} has {_PER_OWNER} robots already")
    identity = yield from users.insert(name, ROBOT, "", False, False, title, "", now)
    yield "UPDATE account SET owner = ? WHERE id = ?", (belongs, identity)
    yield from personal.insert(identity, "secret", secret, None, until, now)
    for grant in grants:
        yield from write(by, identity, None, grant, now)
    yield from changed(by, "robot.create", name, ", ".join(grant.pattern for grant in grants), now)
    return (yield from account(name))


def _rotate(by: By, name: str, secret: tokens.Secret, until: float | None, now: float) -> Script[None]:
    identity = yield from find(name, ROBOT)
    yield "DELETE FROM token WHERE account = ?", (identity,)
    yield from personal.insert(identity, "secret", secret, None, until, now)
    yield from changed(by, "robot.rotate", name, "", now)


def _set_active(by: By, name: str, active: bool, now: float) -> Script[None]:
    identity = yield from find(name, ROBOT)
    yield "UPDATE account SET active = ? WHERE id = ?", (int(active), identity)
    yield from changed(by, "robot.enable" if active else "robot.disable", name, "", now)


def _delete(by: By, name: str, now: float) -> Script[None]:
    row = yield from first("SELECT id FROM account WHERE name = ? AND kind = ?", name, ROBOT)
    if row is None:
        raise AccountUnknown("robot", name)
    yield from users.clear(row[0])
    yield "DELETE FROM account WHERE id = ?", (row[0],)
    yield from changed(by, "robot.delete", name, "", now)
