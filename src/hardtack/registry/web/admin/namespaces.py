"""Organisations and namespaces as those who run the registry see them: made and deleted; quotas and use."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from hardtack.registry.accounts.errors import AccountInvalid
from hardtack.registry.accounts.rows import ORGANISATION
from hardtack.registry.config import units
from hardtack.registry.errors import SettingInvalid
from hardtack.registry.web import guards
from hardtack.registry.web.admin.common import ADMIN_TABS, PAGE
from hardtack.registry.web.home import VISIBILITIES
from hardtack.registry.web.page import Done, Page, Shown

if TYPE_CHECKING:
    from hardtack.registry.web.visit import Visit

_ORGANISATIONS, _NAMESPACES = "/admin/organisations", "/admin/namespaces"


async def organisations(visit: Visit) -> Shown:
    """Organisations by name."""
    found = await visit.accounts.users.all(ORGANISATION, "", visit.query.get("after", ""), PAGE + 1)
    following = found[PAGE - 1].name if len(found) > PAGE else ""
    return Shown(
        "admin/organisations.html",
        {
            "organisations": found[:PAGE],
            "next": f"{_ORGANISATIONS}?after={quote(following)}" if following else "",
            "tabs": ADMIN_TABS,
            "tab": _ORGANISATIONS,
        },
    )


async def create(visit: Visit) -> Done:
    """Make one."""
    name = visit.field("name")
    await visit.accounts.organisations.create(visit.by, name, visit.field("owner"), visit.field("title"))
    return Done(f"/organisations/{name}", "created")


async def delete(visit: Visit) -> Done:
    """Delete one. Raises AccountInvalid: another name was typed."""
    name = visit.field("name")
    if not name or visit.field("confirm") != name:
        raise AccountInvalid("the two names differ", "Type the organisation's name twice to delete it")
    await visit.accounts.organisations.delete(visit.by, name)
    return Done(_ORGANISATIONS, "deleted")


async def namespaces(visit: Visit) -> Shown:
    """Namespaces for which something is set, with their use."""
    found = await visit.namespaces.all(visit.query.get("after", ""), PAGE + 1)
    following = found[PAGE - 1].name if len(found) > PAGE else ""
    asked = visit.query.get("name", "").strip()[:100]
    return Shown(
        "admin/namespaces.html",
        {
            "namespaces": found[:PAGE],
            "asked": await visit.namespaces.get(asked) if asked else None,
            "visibilities": VISIBILITIES,
            "next": f"{_NAMESPACES}?after={quote(following)}" if following else "",
            "tabs": ADMIN_TABS,
            "tab": _NAMESPACES,
        },
    )


async def set_namespace(visit: Visit) -> Done:
    """Set a quota, and who sees new repositories. Raises SettingInvalid."""
    name, text, visibility = visit.field("name"), visit.field("quota"), visit.field("visibility")
    try:
        quota = units.count_bytes(text) if text else None
    except ValueError as error:
        raise SettingInvalid(f"the quota {error}") from None
    await visit.namespaces.set_quota(name, quota)
    await visit.namespaces.set_visibility(name, visibility)
    await visit.note("namespace.set", name, f"quota {text or 'none'}, visibility {visibility or 'usual'}")
    return Done(_NAMESPACES, "saved")


PAGES = {
    _ORGANISATIONS: Page(organisations, guards.admins, {"create": create, "delete": delete}),
    _NAMESPACES: Page(namespaces, guards.admins, {"set": set_namespace}),
}
