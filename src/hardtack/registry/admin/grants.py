"""Rights on repositories by the JSON API: who may give them is said by the library's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hardtack.registry.access import Grant
from hardtack.registry.accounts import rows, words
from hardtack.registry.accounts.changes import is_admin, is_self
from hardtack.registry.admin.ask import refused
from hardtack.registry.admin.table import Endpoint, N

if TYPE_CHECKING:
    from hardtack.registry.admin.ask import Ask


class NewGrant(msgspec.Struct, forbid_unknown_fields=True):
    """Rights to be given, to a user, a robot (`team+ci`) or a team (`team/name`)."""

    holder: str
    pattern: str
    rights: str


async def grants(ask: Ask) -> list[rows.Permission]:
    """What was granted: to one holder, or (for administrators) to everybody."""
    ask.expect_somebody()
    library, holder = ask.accounts().permissions, ask.query.get("holder", "")
    if not is_admin(ask.caller) and not (holder and is_self(ask.caller, holder)):
        raise refused(ask.caller)
    if holder:
        return await library.of(holder)
    return await library.all(ask.position("last", 0), ask.limit())


async def give(ask: Ask) -> rows.Permission:
    """Give rights."""
    new = ask.body
    grant = Grant(new.pattern, words.read_rights(new.rights))
    return await ask.accounts().permissions.give(ask.by(), new.holder, grant)


async def take(ask: Ask) -> None:
    """Take rights back."""
    await ask.accounts().permissions.take(ask.by(), ask.number("grant"))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/grants",
        grants,
        "List what was granted",
        gives=list[rows.Permission],
        query=(("holder", "to whom"), ("last", "the number after which the page begins"), N),
    ),
    Endpoint(
        "POST", "/grants", give, "Give rights on a pattern that one administers", NewGrant, rows.Permission, status=201
    ),
    Endpoint("DELETE", "/grants/{grant}", take, "Take rights back, at once and everywhere"),
)
