"""Organisations, their members and teams by the JSON API: the library's rules say who may do what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hardtack.registry.accounts import rows
from hardtack.registry.accounts.changes import is_admin, is_self
from hardtack.registry.admin.table import LAST, PART, Endpoint, N
from hardtack.registry.errors import Denied

if TYPE_CHECKING:
    from hardtack.registry.admin.ask import Ask


class NewOrganisation(msgspec.Struct, forbid_unknown_fields=True):
    """An organisation to be made, and the user who owns it first."""

    name: str
    owner: str
    title: str = ""


class Role(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody is in an organisation: owner or member."""

    role: str = rows.MEMBER


class NewTeam(msgspec.Struct, forbid_unknown_fields=True):
    """A team to be made."""

    name: str


async def organisations(ask: Ask) -> list[rows.Account]:
    """Organisations, by name."""
    ask.expect_somebody()
    query = ask.query
    return await ask.accounts().users.all(rows.ORGANISATION, query.get("q", ""), query.get("last", ""), ask.limit())


async def create_organisation(ask: Ask) -> rows.Account:
    """Make an organisation."""
    new = ask.body
    return await ask.accounts().organisations.create(ask.by(), new.name, new.owner, new.title)


async def delete_organisation(ask: Ask) -> None:
    """Delete an organisation."""
    await ask.accounts().organisations.delete(ask.by(), ask.path["organisation"])


async def members(ask: Ask) -> list[rows.Membership]:
    """Who is in an organisation."""
    await _expect_member(ask)
    return await ask.accounts().organisations.members(ask.path["organisation"])


async def _expect_member(ask: Ask) -> None:
    name, organisation = ask.expect_somebody(), ask.path["organisation"]
    if is_admin(ask.caller):
        return
    members = await ask.accounts().organisations.members(organisation)
    if not is_self(ask.caller, name) or name not in [one.name for one in members]:
        raise Denied("see", organisation)


async def set_member(ask: Ask) -> None:
    """Take somebody in, or give them another role."""
    await ask.accounts().organisations.set_member(ask.by(), ask.path["organisation"], ask.path["user"], ask.body.role)


async def remove_member(ask: Ask) -> None:
    """Take somebody out."""
    await ask.accounts().organisations.remove_member(ask.by(), ask.path["organisation"], ask.path["user"])


async def teams(ask: Ask) -> list[rows.Team]:
    """The teams of an organisation."""
    await _expect_member(ask)
    return await ask.accounts().teams.all(ask.path["organisation"])


async def create_team(ask: Ask) -> rows.Team:
    """Make a team."""
    return await ask.accounts().teams.create(ask.by(), ask.path["organisation"], ask.body.name)


async def delete_team(ask: Ask) -> None:
    """Delete a team."""
    await ask.accounts().teams.delete(ask.by(), ask.path["organisation"], ask.path["team"])


async def add_to_team(ask: Ask) -> None:
    """Put somebody into a team."""
    await ask.accounts().teams.add(ask.by(), ask.path["organisation"], ask.path["team"], ask.path["user"])


async def take_from_team(ask: Ask) -> None:
    """Take somebody out of a team."""
    await ask.accounts().teams.remove(ask.by(), ask.path["organisation"], ask.path["team"], ask.path["user"])


_ORG, _TEAM = "/organisations/{organisation}", "/organisations/{organisation}/teams/{team}"

ENDPOINTS = (
    Endpoint(
        "GET", "/organisations", organisations, "List organisations", gives=list[rows.Account], query=(PART, LAST, N)
    ),
    Endpoint(
        "POST", "/organisations", create_organisation, "Make one; for admins", NewOrganisation, rows.Account, status=201
    ),
    Endpoint("DELETE", _ORG, delete_organisation, "Delete an organisation; for admins"),
    Endpoint("GET", f"{_ORG}/members", members, "List members", gives=list[rows.Membership]),
    Endpoint("PUT", f"{_ORG}/members/{{user}}", set_member, "Take somebody in, or give another role", Role),
    Endpoint("DELETE", f"{_ORG}/members/{{user}}", remove_member, "Take somebody out"),
    Endpoint("GET", f"{_ORG}/teams", teams, "List teams", gives=list[rows.Team]),
    Endpoint("POST", f"{_ORG}/teams", create_team, "Make a team", NewTeam, rows.Team, status=201),
    Endpoint("DELETE", _TEAM, delete_team, "Delete a team with what was granted to it"),
    Endpoint("PUT", f"{_TEAM}/members/{{user}}", add_to_team, "Put a member into a team"),
    Endpoint("DELETE", f"{_TEAM}/members/{{user}}", take_from_team, "Take somebody out of a team"),
)
