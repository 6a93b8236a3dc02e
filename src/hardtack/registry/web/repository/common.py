"""What every page of a repository shows above its own: name, badges, figures, and the tabs that the visitor may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hardtack.registry.access import Action, allowed
from hardtack.registry.errors import RepositoryUnknown
from hardtack.registry.web.page import Missing, Shown

if TYPE_CHECKING:
    from hardtack.registry.repositories.rows import Details
    from hardtack.registry.web.visit import Visit

PAGE = 50


async def details_of(visit: Visit) -> Details:
    """Everything that is set for the repository. Raises Missing: it is gone."""
    try:
        return await visit.repositories.details(visit.name)
    except RepositoryUnknown:
        raise Missing from None


async def shown(visit: Visit, template: str, tab: str, **values: Any) -> Shown:
    """A page of the repository, with one of its tabs open."""
    details = values.get("repository") or await details_of(visit)
    name = visit.name
    tabs = [("", "Tags")]
    if details.readme or visit.may(Action.ADMIN, name):
        tabs.append(("/-/readme", "README"))
    tabs.append(("/-/history", "History"))
    if allowed(visit.caller, Action.DELETE, name):
        tabs.append(("/-/deleted", "Deleted"))
    if visit.may(Action.ADMIN, name):
        tabs.append(("/-/settings", "Settings"))
    every = {**values, "visit": visit, "repository": details, "name": name, "tabs": tabs, "tab": tab}
    return Shown(f"repository/{template}", every)
