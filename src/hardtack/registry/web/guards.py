"""Who may see a page. Each raises Missing or LoginNeeded; who may not see something is told that it is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.access import Action, allowed
from hardtack.registry.accounts.errors import AccountUnknown
from hardtack.registry.accounts.rows import ORGANISATION
from hardtack.registry.web.page import Missing

if TYPE_CHECKING:
    from hardtack.registry.web.visit import Visit


async def anybody(visit: Visit) -> None:
    """Everybody may."""


async def somebody(visit: Visit) -> None:
    """Those who have logged in."""
    visit.logged_in()


async def admins(visit: Visit) -> None:
    """Those who run the registry."""
    visit.logged_in()
    if not visit.is_admin:
        raise Missing


async def readers(visit: Visit) -> None:
    """Those who may pull from the repository."""
    name = visit.name
    visibility = await visit.service.metadata.visibility(name)
    if not visibility or not allowed(visit.caller, Action.PULL, name, visibility):
        raise Missing


async def removers(visit: Visit) -> None:
    """Those who may delete images of the repository."""
    await readers(visit)
    if not allowed(visit.caller, Action.DELETE, visit.name):
        raise Missing


async def administrators(visit: Visit) -> None:
    """Those who administer the repository."""
    visit.logged_in()
    await readers(visit)
    visit.need(Action.ADMIN, visit.name)


async def members(visit: Visit) -> None:
    """Those who are in the organisation, or run the registry."""
    visit.logged_in()
    name = visit.at["organisation"]
    try:
        account = await visit.accounts.users.get(name)
    except AccountUnknown:
        raise Missing from None
    if account.kind != ORGANISATION:
        raise Missing
    if not visit.rules(name) and name not in [one.name for one in await visit.accounts.organisations.of(visit.user)]:
        raise Missing


async def owners(visit: Visit) -> None:
    """Those who decide about the organisation."""
    await members(visit)
    if not visit.rules(visit.at["organisation"]):
        raise Missing
