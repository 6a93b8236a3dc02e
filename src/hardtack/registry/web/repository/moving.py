"""Renaming, transferring and deleting a whole repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.access import Action
from hardtack.registry.errors import SettingInvalid
from hardtack.registry.names import check_repository
from hardtack.registry.web import guards
from hardtack.registry.web.page import Done, Page
from hardtack.registry.web.repository.common import shown

if TYPE_CHECKING:
    from hardtack.registry.web.page import Shown
    from hardtack.registry.web.visit import Visit


async def moving(visit: Visit) -> Shown:
    """Both forms, and what a deletion frees."""
    return await shown(
        visit, "settings_moving.html", "/-/settings", freed=await visit.repositories.freed_by(visit.name)
    )


async def rename(visit: Visit) -> Done:
    """Give it another name. Raises SettingInvalid: the visitor does not administer that one."""
    name, to = visit.name, check_repository(visit.field("to"))
    if not visit.may(Action.ADMIN, to):
        raise SettingInvalid(
            f"you do not administer {to}", "Choose a name below your own, or below an organisation that you own"
        )
    await visit.service.expect_own(to)
    await visit.repositories.rename(name, to, visit.caller.name)
    await visit.note("repository.rename", name, to)
    return Done(f"/{to}", "renamed")


async def delete(visit: Visit) -> Done:
    """Delete it for good. Raises SettingInvalid: another name was typed."""
    name = visit.name
    if visit.field("confirm") != name:
        raise SettingInvalid("what was typed is not the repository's name", f"Type {name} to delete it")
    await visit.repositories.delete(name, visit.caller.name)
    await visit.note("repository.delete", name)
    return Done("/", "deleted")


PAGES = {"settings/moving": Page(moving, guards.administrators, {"rename": rename, "delete": delete})}
