"""An organisation: its members, teams, namespace, and the rights that were given on it; run by its owners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.accounts.errors import AccountInvalid, AccountUnknown
from hardtack.registry.accounts.rows import MEMBER, OWNER
from hardtack.registry.web import guards
from hardtack.registry.web.account.common import RIGHTS, grant
from hardtack.registry.web.home import VISIBILITIES
from hardtack.registry.web.page import Done, Page, Shown

if TYPE_CHECKING:
    from hardtack.registry.web.visit import Visit


def _name(visit: Visit) -> str:
    return visit.at["organisation"]


def _here(visit: Visit, below: str = "") -> str:
    return f"/organisations/{_name(visit)}{below}"


def tabs_of(visit: Visit) -> tuple[tuple[str, str], ...]:
    """The tabs of an organisation that the visitor may use."""
    tabs = [(_here(visit), "Members"), (_here(visit, "/teams"), "Teams")]
    if visit.rules(_name(visit)):
        tabs += [(_here(visit, "/robots"), "Robots"), (_here(visit, "/grants"), "Rights")]
    return tuple(tabs)


async def mine(visit: Visit) -> Done:
    """The list of one's organisations is on one's account."""
    visit.logged_in()
    return Done("/account")


async def members(visit: Visit) -> Shown:
    """Who is in it."""
    name = _name(visit)
    return Shown(
        "account/members.html",
        {
            "organisation": await visit.accounts.users.get(name),
            "members": await visit.accounts.organisations.members(name),
            "roles": (MEMBER, OWNER),
            "rules": visit.rules(name),
            "namespace": await visit.namespaces.get(name),
            "visibilities": VISIBILITIES,
            "tabs": tabs_of(visit),
            "tab": _here(visit),
        },
    )


async def set_member(visit: Visit) -> Done:
    """Take somebody in, or give them another role."""
    library = visit.accounts.organisations
    await library.set_member(visit.by, _name(visit), visit.field("user"), visit.field("role"))
    return Done(_here(visit), "saved")


async def remove_member(visit: Visit) -> Done:
    """Take somebody out; everybody may go themselves."""
    user = visit.field("user")
    await visit.accounts.organisations.remove_member(visit.by, _name(visit), user)
    return Done("/account" if user == visit.user and not visit.is_admin else _here(visit), "removed")


async def set_visibility(visit: Visit) -> Done:
    """Say who sees new repositories of the organisation."""
    await guards.owners(visit)
    await visit.namespaces.set_visibility(_name(visit), visit.field("visibility"))
    await visit.note("namespace.visibility", _name(visit), visit.field("visibility"))
    return Done(_here(visit), "saved")


async def teams(visit: Visit) -> Shown:
    """Its teams, with members and rights."""
    name, permissions = _name(visit), visit.accounts.permissions
    rules = visit.rules(name)
    found = await visit.accounts.teams.all(name)
    return Shown(
        "account/teams.html",
        {
            "organisation": name,
            "teams": [(team, await permissions.of(f"{name}/{team.name}")) for team in found],
            "members": await visit.accounts.organisations.members(name),
            "rules": rules,
            "rights": RIGHTS,
            "tabs": tabs_of(visit),
            "tab": _here(visit, "/teams"),
        },
    )


async def create_team(visit: Visit) -> Done:
    """Make a team."""
    await visit.accounts.teams.create(visit.by, _name(visit), visit.field("team"))
    return Done(_here(visit, "/teams"), "created")


async def delete_team(visit: Visit) -> Done:
    """Delete one, with what was granted to it."""
    await visit.accounts.teams.delete(visit.by, _name(visit), visit.field("team"))
    return Done(_here(visit, "/teams"), "deleted")


async def add(visit: Visit) -> Done:
    """Put somebody into a team."""
    await visit.accounts.teams.add(visit.by, _name(visit), visit.field("team"), visit.field("user"))
    return Done(_here(visit, "/teams"), "added")


async def remove(visit: Visit) -> Done:
    """Take somebody out of a team."""
    await visit.accounts.teams.remove(visit.by, _name(visit), visit.field("team"), visit.field("user"))
    return Done(_here(visit, "/teams"), "removed")


async def give_team(visit: Visit) -> Done:
    """Give a team rights."""
    return await _give(visit, f"{_name(visit)}/{visit.field('team')}", "/teams")


async def _give(visit: Visit, holder: str, below: str) -> Done:
    given = grant(visit)
    if given is None:
        raise AccountInvalid("name the repositories that the rights are for, such as team/app or team/**")
    await visit.accounts.permissions.give(visit.by, holder, given)
    return Done(_here(visit, below), "given")


async def take_team(visit: Visit) -> Done:
    """Take rights back that a team has. Raises AccountUnknown."""
    holder = f"{_name(visit)}/{visit.field('team')}"
    for permission in await visit.accounts.permissions.of(holder):
        if str(permission.id) == visit.field("grant"):
            await visit.accounts.permissions.take(visit.by, permission.id)
            return Done(_here(visit, "/teams"), "taken")
    raise AccountUnknown("grant", visit.field("grant"))


async def grants(visit: Visit) -> Shown:
    """Who was given rights on the organisation's repositories."""
    name = _name(visit)
    return Shown(
        "account/grants.html",
        {
            "organisation": name,
            "grants": await visit.accounts.permissions.on(name),
            "rights": RIGHTS,
            "tabs": tabs_of(visit),
            "tab": _here(visit, "/grants"),
        },
    )


async def give(visit: Visit) -> Done:
    """Give somebody rights."""
    return await _give(visit, visit.field("holder"), "/grants")


async def take(visit: Visit) -> Done:
    """Take rights back that somebody has here. Raises AccountUnknown."""
    for permission in await visit.accounts.permissions.on(_name(visit)):
        if str(permission.id) == visit.field("grant"):
            await visit.accounts.permissions.take(visit.by, permission.id)
            return Done(_here(visit, "/grants"), "taken")
    raise AccountUnknown("grant", visit.field("grant"))


PAGES = {
    "/organisations": Page(mine, guards.somebody),
    "/organisations/{organisation}": Page(
        members,
        guards.members,
        {"set-member": set_member, "remove-member": remove_member, "visibility": set_visibility},
    ),
    "/organisations/{organisation}/teams": Page(
        teams,
        guards.members,
        {
            "create": create_team,
            "delete": delete_team,
            "add": add,
            "remove": remove,
            "give": give_team,
            "take": take_team,
        },
    ),
    "/organisations/{organisation}/grants": Page(grants, guards.owners, {"give": give, "take": take}),
}
