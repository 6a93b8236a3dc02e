"""Grants: rights on the repositories that a pattern covers, given to a user, a robot or a team.

Who administers everything that a pattern covers may give rights on it, and take them. An owner's and a member's rights
come from the organisation itself and are no grants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.accounts.changes import By, administers, changed, find
from hardtack.registry.accounts.errors import AccountConflict, AccountUnknown
from hardtack.registry.accounts.names import check_pattern
from hardtack.registry.accounts.rows import ROBOT, USER, Permission
from hardtack.registry.accounts.teams import find_team
from hardtack.registry.accounts.words import stored, unstored, write_rights
from hardtack.registry.errors import Denied
from hardtack.registry.metadata.script import first

if TYPE_CHECKING:
    from hardtack.registry.access import Grant
    from hardtack.registry.metadata.database import Database
    from hardtack.registry.metadata.script import Script

_PER_HOLDER = 1000
_PERMISSION = (
    "SELECT p.id, CASE WHEN p.team IS NULL THEN a.kind ELSE 'team' END,"
    " CASE WHEN p.team IS NULL THEN a.name ELSE o.name || '/' || t.name END,"
    " p.pattern, p.actions, p.created, p.created_by FROM permission p"
    " LEFT JOIN account a ON a.id = p.account LEFT JOIN team t ON t.id = p.team"
    " LEFT JOIN account o ON o.id = t.organisation"
)


class Permissions:
    """See the module. A holder is the name of a user or a robot, or `organisation/team`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def give(self, by: By, holder: str, grant: Grant) -> Permission:
        """Give rights, in place of those that the holder had on the same pattern.

        Raises:
            Denied, AccountInvalid, AccountUnknown, AccountConflict.
        """
        check_grants(by, (grant,))
        return await self._db.write(_give, by, holder, grant, self._db.now())

    async def take(self, by: By, identity: int) -> None:
        """Take a grant back, at once and everywhere. Raises AccountUnknown: there is none that is theirs to take."""
        permission = await self.get(identity)
        if not administers(by.caller, permission.pattern):
            # As if it did not exist: the pattern may name what nobody else knows of.
            raise AccountUnknown("grant", str(identity))
        await self._db.write(_take, by, identity, self._db.now())

    async def get(self, identity: int) -> Permission:
        """One grant. Raises AccountUnknown."""
        return await self._db.browse(permission, identity)

    async def of(self, holder: str) -> list[Permission]:
        """What was granted to a user, a robot or a team. Raises AccountUnknown."""
        return await self._db.browse(permissions_of, holder)

    async def on(self, namespace: str) -> list[Permission]:
        """What was granted on a namespace or a part of it, to anybody; grants on everything are not among these."""
        return await self._db.browse(permissions_on, namespace)

    async def all(self, after: int = 0, limit: int = 1000) -> list[Permission]:
        """Every grant, in the order in which they were given."""
        return await self._db.browse(permissions, after, limit)


def check_grants(by: By, grants: tuple[Grant, ...]) -> None:
    """See that somebody may give these.

    Raises:
        AccountInvalid, Denied.
    """
    for grant in grants:
        check_pattern(grant.pattern)
        if not administers(by.caller, grant.pattern):
            raise Denied("administer", grant.pattern)


def _holder(name: str) -> Script[tuple[int | None, int | None]]:
    organisation, slash, team = name.partition("/")
    if slash:
        return None, (yield from find_team(organisation, team))
    return (yield from find(name, USER, ROBOT)), None


def permission(identity: int) -> Script[Permission]:
    """One grant."""
    row = yield from first(f"{_PERMISSION} WHERE p.id = ?", identity)
    if row is None:
        raise AccountUnknown("grant", str(identity))
    return _permission(row)


def permissions(after: int, limit: int) -> Script[list[Permission]]:
    """Grants after one."""
    rows = yield f"{_PERMISSION} WHERE p.id > ? ORDER BY p.id LIMIT ?", (after, limit)
    return [_permission(row) for row in rows]


def permissions_of(holder: str) -> Script[list[Permission]]:
    """The grants of one holder."""
    account, team = yield from _holder(holder)
    column = "account" if team is None else "team"
    rows = yield f"{_PERMISSION} WHERE p.{column} = ? ORDER BY p.pattern", (account if team is None else team,)
    return [_permission(row) for row in rows]


def permissions_on(namespace: str) -> Script[list[Permission]]:
    """The grants whose patterns are in a namespace."""
    # "0" is what follows "/" in the order of bytes.
    rows = yield (
        f"{_PERMISSION} WHERE p.pattern >= ? AND p.pattern < ? ORDER BY p.pattern, p.id LIMIT ?",
        (f"{namespace}/", f"{namespace}0", _PER_HOLDER),
    )
    return [_permission(row) for row in rows]


def _permission(row: tuple[object, ...]) -> Permission:
    return Permission._make((*row[:4], write_rights(unstored(str(row[4]))), *row[5:]))


def write(by: By, account: int | None, team: int | None, grant: Grant, now: float) -> Script[int]:
    """Write a grant to an account or a team, in place of the one that it has on the pattern."""
    column, holder = ("account", account) if team is None else ("team", team)
    yield f"DELETE FROM permission WHERE {column} = ? AND pattern = ?", (holder, grant.pattern)
    rows = yield f"SELECT count(*) FROM permission WHERE {column} = ?", (holder,)
    if rows[0][0] >= _PER_HOLDER:
        raise AccountConflict(f"more than {_PER_HOLDER} grants to one holder", "Use wider patterns, or teams")
    rows = yield (
        f"INSERT INTO permission ({column}, pattern, actions, created, created_by) VALUES (?, ?, ?, ?, ?) RETURNING id",
        (holder, grant.pattern, stored(grant.actions), now, by.who),
    )
    identity: int = rows[0][0]
    return identity


def _give(by: By, holder: str, grant: Grant, now: float) -> Script[Permission]:
    account, team = yield from _holder(holder)
    identity = yield from write(by, account, team, grant, now)
    yield from changed(by, "grant.give", holder, f"{grant.pattern} {write_rights(grant.actions)}", now)
    return (yield from permission(identity))


def _take(by: By, identity: int, now: float) -> Script[None]:
    found = yield from permission(identity)
    yield "DELETE FROM permission WHERE id = ?", (identity,)
    yield from changed(by, "grant.take", found.holder, f"{found.pattern} {found.rights}", now)
