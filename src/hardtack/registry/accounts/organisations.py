"""Organisations: a namespace that several people own, and others read. Made by admins, run by their owners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.accounts import users
from hardtack.registry.accounts.changes import By, changed, find, need_admin, need_rule
from hardtack.registry.accounts.errors import AccountConflict, AccountInvalid, AccountUnknown
from hardtack.registry.accounts.listing import account
from hardtack.registry.accounts.names import check_account
from hardtack.registry.accounts.rows import MEMBER, ORGANISATION, OWNER, USER, Account, Membership
from hardtack.registry.metadata.script import hits

if TYPE_CHECKING:
    from hardtack.registry.metadata.database import Database
    from hardtack.registry.metadata.script import Script


class Organisations:
    """See the module. Owners administer `name/**`, members pull from it; teams and grants add to that.

    Args:
        reserved: names that nobody gets.
    """

    def __init__(self, database: Database, reserved: frozenset[str] = frozenset()) -> None:
        self._db = database
        self._reserved = reserved

    async def create(self, by: By, name: str, owner: str, title: str = "") -> Account:
        """Make an organisation with its first owner.

        Raises:
            Denied, AccountInvalid, AccountUnknown: no such user; AccountConflict: the name is taken.
        """
        need_admin(by)
        check_account(name, self._reserved)
        users.check_texts(title, "")
        return await self._db.write(_create, by, name, owner, title, self._db.now())

    async def delete(self, by: By, name: str) -> None:
        """Delete an organisation with its teams and robots; its repositories stay, in the care of the admins."""
        need_admin(by)
        await self._db.write(_delete, by, name, self._db.now())

    async def set_member(self, by: By, name: str, user: str, role: str = MEMBER) -> None:
        """Make a user a member or an owner.

        Raises:
            Denied, AccountUnknown; AccountConflict: it was the last owner.
        """
        need_rule(by, name)
        if role not in (OWNER, MEMBER):
            raise AccountInvalid(f'"{role[:40]}" is no role: {OWNER} or {MEMBER}')
        await self._db.write(_set_member, by, name, user, role, self._db.now())

    async def remove_member(self, by: By, name: str, user: str) -> None:
        """Take a user out of an organisation and of its teams. Raises as `set_member`."""
        if by.caller.name != user or by.caller.scope is not None or by.caller.claims is not None:
            need_rule(by, name)
        await self._db.write(_remove_member, by, name, user, self._db.now())

    async def members(self, name: str) -> list[Membership]:
        """Who is in an organisation, owners first. Raises AccountUnknown."""
        return await self._db.browse(members, name)

    async def of(self, user: str) -> list[Membership]:
        """The organisations that a user is in."""
        return await self._db.browse(memberships, user)


def members(name: str) -> Script[list[Membership]]:
    """Who is in an organisation."""
    identity = yield from find(name, ORGANISATION)
    rows = yield (
        "SELECT a.name, m.role FROM membership m JOIN account a ON a.id = m.account WHERE m.organisation = ?"
        " ORDER BY m.role DESC, a.name",
        (identity,),
    )
    return [Membership._make(row) for row in rows]


def memberships(user: str) -> Script[list[Membership]]:
    """What organisations a user is in."""
    rows = yield (
        "SELECT o.name, m.role FROM account a JOIN membership m ON m.account = a.id"
        " JOIN account o ON o.id = m.organisation WHERE a.name = ? ORDER BY o.name",
        (user,),
    )
    return [Membership._make(row) for row in rows]


def _create(by: By, name: str, owner: str, title: str, now: float) -> Script[Account]:
    user = yield from find(owner, USER)
    identity = yield from users.insert(name, ORGANISATION, "", False, False, title, "", now)
    yield "INSERT INTO membership (organisation, account, role) VALUES (?, ?, ?)", (identity, user, OWNER)
    yield from changed(by, "organisation.create", name, f"owner {owner}", now)
    return (yield from account(name))


def _delete(by: By, name: str, now: float) -> Script[None]:
    identity = yield from find(name, ORGANISATION)
    for table in ("team_member", "permission"):
        yield f"DELETE FROM {table} WHERE team IN (SELECT id FROM team WHERE organisation = ?)", (identity,)
    yield "DELETE FROM team WHERE organisation = ?", (identity,)
    yield "DELETE FROM membership WHERE organisation = ?", (identity,)
    yield from users.remove(identity, name)
    yield from changed(by, "organisation.delete", name, "", now)


def _set_member(by: By, name: str, user: str, role: str, now: float) -> Script[None]:
    identity = yield from find(name, ORGANISATION)
    member = yield from find(user, USER)
    yield (
        "INSERT INTO membership (organisation, account, role) VALUES (?, ?, ?)"
        " ON CONFLICT (organisation, account) DO UPDATE SET role = excluded.role",
        (identity, member, role),
    )
    yield from _need_an_owner(identity, name)
    yield from changed(by, "organisation.member", name, f"{user} {role}", now)


def _remove_member(by: By, name: str, user: str, now: float) -> Script[None]:
    identity = yield from find(name, ORGANISATION)
    member = yield from find(user, USER)
    rows = yield (
        "DELETE FROM membership WHERE organisation = ? AND account = ? RETURNING account",
        (identity, member),
    )
    if not rows:
        raise AccountUnknown(f"member of {name}", user)
    yield (
        "DELETE FROM team_member WHERE account = ? AND team IN (SELECT id FROM team WHERE organisation = ?)",
        (member, identity),
    )
    yield from _need_an_owner(identity, name)
    yield from changed(by, "organisation.remove", name, user, now)


def _need_an_owner(identity: int, name: str) -> Script[None]:
    # Locked first, so that two owners who remove each other cannot both succeed.
    yield "SELECT id FROM account WHERE id = ? FOR UPDATE", (identity,)
    if not (yield from hits("SELECT 1 FROM membership WHERE organisation = ? AND role = ?", identity, OWNER)):
        raise AccountConflict(f"{name} would have no owner", "Make somebody else an owner first")
