"""Robots of a user or an organisation: made, given rights and secrets, disabled, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.accounts.errors import AccountInvalid, AccountUnknown
from hardtack.registry.web import guards
from hardtack.registry.web.account.common import ACCOUNT_TABS, LIVES, RIGHTS, SCOPES, grant, grants, life
from hardtack.registry.web.account.organisations import tabs_of
from hardtack.registry.web.page import Done, Page, Shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from hardtack.registry.web.visit import Visit


def _owner(visit: Visit) -> str:
    return visit.at.get("organisation", visit.user)


def _here(visit: Visit) -> str:
    organisation = visit.at.get("organisation")
    return f"/organisations/{organisation}/robots" if organisation else "/account/robots"


async def robots(visit: Visit, secret: str = "", name: str = "") -> Shown:
    """The robots of an owner, each with what it may."""
    owner, permissions = _owner(visit), visit.accounts.permissions
    found = await visit.accounts.robots.all(owner)
    return Shown(
        "account/robots.html",
        {
            "owner": owner,
            "organisation": visit.at.get("organisation", ""),
            "robots": [(robot, await permissions.of(robot.name)) for robot in found],
            "lives": LIVES,
            "rights": RIGHTS,
            "rows": range(SCOPES),
            "secret": secret,
            "secret_of": name,
            "tabs": tabs_of(visit) if "organisation" in visit.at else ACCOUNT_TABS,
            "tab": _here(visit),
        },
    )


async def create(visit: Visit) -> Shown:
    """Make one, and show its secret, this once."""
    secret, made = await visit.accounts.robots.create(
        visit.by, _owner(visit), visit.field("name"), grants(visit), life(visit), visit.field("title")
    )
    return await robots(visit, secret, made.name)


def _robot(visit: Visit) -> str:
    """The robot that a form is about. Raises AccountUnknown: it is another owner's."""
    name = visit.field("robot")
    if name.partition("+")[0] != _owner(visit):
        raise AccountUnknown("robot", name)
    return name


async def rotate(visit: Visit) -> Shown:
    """Give one another secret, and show it, this once."""
    name = _robot(visit)
    return await robots(visit, await visit.accounts.robots.rotate(visit.by, name, life(visit)), name)


async def enable(visit: Visit) -> Done:
    """Let one log in again."""
    await visit.accounts.robots.set_active(visit.by, _robot(visit), True)
    return Done(_here(visit), "enabled")


async def disable(visit: Visit) -> Done:
    """Let one log in no longer."""
    await visit.accounts.robots.set_active(visit.by, _robot(visit), False)
    return Done(_here(visit), "disabled")


async def delete(visit: Visit) -> Done:
    """Delete one."""
    await visit.accounts.robots.delete(visit.by, _robot(visit))
    return Done(_here(visit), "deleted")


async def give(visit: Visit) -> Done:
    """Give one rights. Raises AccountInvalid: on nothing."""
    name, given = _robot(visit), grant(visit)
    if given is None:
        raise AccountInvalid("name the repositories that the rights are for, such as team/app or team/**")
    await visit.accounts.permissions.give(visit.by, name, given)
    return Done(_here(visit), "given")


async def take(visit: Visit) -> Done:
    """Take rights back."""
    name = _robot(visit)
    for permission in await visit.accounts.permissions.of(name):
        if str(permission.id) == visit.field("grant"):
            await visit.accounts.permissions.take(visit.by, permission.id)
            return Done(_here(visit), "taken")
    raise AccountUnknown("grant", visit.field("grant"))


_FORMS: Mapping[str, Callable[[Visit], Awaitable[Shown | Done]]] = {
    "create": create,
    "rotate": rotate,
    "enable": enable,
    "disable": disable,
    "delete": delete,
    "give": give,
    "take": take,
}

PAGES = {
    "/account/robots": Page(robots, guards.somebody, _FORMS),
    "/organisations/{organisation}/robots": Page(robots, guards.owners, _FORMS),
}
