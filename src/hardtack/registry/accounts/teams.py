"""Teams: members of an organisation who are granted something together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.accounts.changes import By, changed, find, need_rule
from hardtack.registry.accounts.errors import AccountConflict, AccountUnknown
from hardtack.registry.accounts.names import check_part
from hardtack.registry.accounts.rows import ORGANISATION, USER, Team
from hardtack.registry.metadata.script import first, hits

if TYPE_CHECKING:
    from hardtack.registry.metadata.database import Database
    from hardtack.registry.metadata.script import Script


class Teams:
    """See the module. Every change is for who administers the organisation's namespace; else Denied is raised."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def create(self, by: By, organisation: str, name: str) -> Team:
        """Make a team. Raises AccountInvalid, AccountUnknown, AccountConflict."""
        need_rule(by, organisation)
        check_part(name, "name of a team")
        return await self._db.write(_create, by, organisation, name, self._db.now())

    async def delete(self, by: By, organisation: str, name: str) -> None:
        """Delete a team with what was granted to it. Raises AccountUnknown."""
        need_rule(by, organisation)
        await self._db.write(_delete, by, organisation, name, self._db.now())

    async def add(self, by: By, organisation: str, name: str, user: str) -> None:
        """Put a member of the organisation into a team. Raises AccountUnknown, AccountConflict: is no member."""
        need_rule(by, organisation)
        await self._db.write(_add, by, organisation, name, user, self._db.now())

    async def remove(self, by: By, organisation: str, name: str, user: str) -> None:
        """Take somebody out of a team. Raises AccountUnknown."""
        need_rule(by, organisation)
        await self._db.write(_remove, by, organisation, name, user, self._db.now())

    async def all(self, organisation: str) -> list[Team]:
        """The teams of an organisation. Raises AccountUnknown."""
        return await self._db.browse(teams, organisation)

    async def get(self, organisation: str, name: str) -> Team:
        """One team. Raises AccountUnknown."""
        return await self._db.browse(team, organisation, name)


def find_team(organisation: str, name: str) -> Script[int]:
    """The id of a team. Raises AccountUnknown."""
    owner = yield from find(organisation, ORGANISATION)
    row = yield from first("SELECT id FROM team WHERE organisation = ? AND name = ?", owner, name)
    if row is None:
        raise AccountUnknown("team", f"{organisation}/{name}")
    identity: int = row[0]
    return identity


def teams(organisation: str) -> Script[list[Team]]:
    """All teams, with their members."""
    owner = yield from find(organisation, ORGANISATION)
    rows = yield "SELECT id, name, created FROM team WHERE organisation = ? ORDER BY name", (owner,)
    found = []
    for identity, name, created in rows:
        found.append(Team(organisation, name, (yield from _members(identity)), created))
    return found


def team(organisation: str, name: str) -> Script[Team]:
    """One team, with its members."""
    identity = yield from find_team(organisation, name)
    rows = yield "SELECT created FROM team WHERE id = ?", (identity,)
    return Team(organisation, name, (yield from _members(identity)), rows[0][0])


def _members(identity: int) -> Script[tuple[str, ...]]:
    rows = yield (
        "SELECT a.name FROM team_member m JOIN account a ON a.id = m.account WHERE m.team = ? ORDER BY a.name",
        (identity,),
    )
    return tuple(name for (name,) in rows)


def _create(by: By, organisation: str, name: str, now: float) -> Script[Team]:
    owner = yield from find(organisation, ORGANISATION)
    rows = yield (
        "INSERT INTO team (organisation, name, created) VALUES (?, ?, ?)"
        " ON CONFLICT (organisation, name) DO NOTHING RETURNING id",
        (owner, name, now),
    )
    if not rows:
        raise AccountConflict(f"{organisation} has a team {name} already")
    yield from changed(by, "team.create", f"{organisation}/{name}", "", now)
    return Team(organisation, name, (), now)


def _delete(by: By, organisation: str, name: str, now: float) -> Script[None]:
    identity = yield from find_team(organisation, name)
    yield "DELETE FROM team_member WHERE team = ?", (identity,)
    yield "DELETE FROM permission WHERE team = ?", (identity,)
    yield "DELETE FROM team WHERE id = ?", (identity,)
    yield from changed(by, "team.delete", f"{organisation}/{name}", "", now)


def _add(by: By, organisation: str, name: str, user: str, now: float) -> Script[None]:
    identity = yield from find_team(organisation, name)
    member = yield from find(user, USER)
    known = yield from hits(
        "SELECT 1 FROM membership m JOIN team t ON t.organisation = m.organisation"
        " WHERE t.id = ? AND m.account = ? FOR UPDATE",
        identity,
        member,
    )
    if not known:
        raise AccountConflict(
            f"{user} is no member of {organisation}",
            f"Make them one first: tack registry org add-member {organisation} {user}",
        )
    yield (
        "INSERT INTO team_member (team, account) VALUES (?, ?) ON CONFLICT (team, account) DO NOTHING",
        (identity, member),
    )
    yield from changed(by, "team.add", f"{organisation}/{name}", user, now)


def _remove(by: By, organisation: str, name: str, user: str, now: float) -> Script[None]:
    identity = yield from find_team(organisation, name)
    member = yield from find(user, USER)
    rows = yield "DELETE FROM team_member WHERE team = ? AND account = ? RETURNING team", (identity, member)
    if not rows:
        raise AccountUnknown(f"member of {organisation}/{name}", user)
    yield from changed(by, "team.remove", f"{organisation}/{name}", user, now)
