"""The list of repositories, and making a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from hardtack.registry.access import Action, Visibility, allowed
from hardtack.registry.errors import SettingInvalid
from hardtack.registry.names import check_repository
from hardtack.registry.repositories.rows import Settings
from hardtack.registry.web import guards
from hardtack.registry.web.page import Done, Page, Shown

if TYPE_CHECKING:
    from hardtack.registry.web.visit import Visit

_PAGE = 50
SEARCH_LIMIT = 100
VISIBILITIES = tuple(visibility.value for visibility in Visibility)


async def home(visit: Visit) -> Shown:
    """Repositories that the visitor may see, all or those that were searched for."""
    wanted = visit.query.get("q", "").strip()[:SEARCH_LIMIT]
    found = await visit.repositories.search(visit.caller, wanted, visit.query.get("after", ""), _PAGE + 1)
    following = found[_PAGE - 1].name if len(found) > _PAGE else ""
    return Shown(
        "home.html",
        {
            "wanted": wanted,
            "repositories": found[:_PAGE],
            "totals": await visit.service.metadata.totals() if allowed(visit.caller, Action.PULL) else None,
            "next": f"/?q={quote(wanted)}&after={quote(following)}" if following else "",
        },
    )


async def new(visit: Visit) -> Shown:
    """The form for a new repository."""
    namespaces = [visit.user]
    for one in await visit.accounts.organisations.of(visit.user):
        if visit.rules(one.name):
            namespaces.append(one.name)
    return Shown("new.html", {"namespaces": namespaces, "visibilities": VISIBILITIES})


async def create(visit: Visit) -> Done:
    """Make a repository. Raises SettingInvalid: the visitor does not administer the namespace."""
    name = check_repository(visit.field("name"))
    if not visit.may(Action.ADMIN, name):
        raise SettingInvalid(
            f"you do not administer {name.rpartition('/')[0] or 'names without a namespace'}",
            "Choose a name below your own, or below an organisation that you own",
        )
    await visit.service.expect_own(name)
    said = Settings(visit.field("visibility") or None, visit.field("summary"))
    await visit.repositories.create(name, visit.caller.name, said)
    await visit.note("repository.create", name)
    return Done(f"/{name}", "created")


PAGES = {
    "/": Page(home, guards.anybody),
    "/account/new": Page(new, guards.somebody, {"create": create}),
}
