"""Personal access tokens: made, shown once, revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.accounts.errors import AccountInvalid, AccountUnknown
from hardtack.registry.accounts.tokens import PERSONAL
from hardtack.registry.web import guards
from hardtack.registry.web.account.common import ACCOUNT_TABS, LIVES, RIGHTS, SCOPES, grants, life
from hardtack.registry.web.page import Done, Page, Shown

if TYPE_CHECKING:
    from hardtack.registry.accounts.rows import Token
    from hardtack.registry.web.visit import Visit


async def tokens(visit: Visit, text: str = "", made: Token | None = None) -> Shown:
    """The visitor's tokens, and what docker keeps for them."""
    return Shown(
        "account/tokens.html",
        {
            "tokens": await visit.accounts.tokens.all(visit.user),
            "now": visit.service.database.now(),
            "personal": PERSONAL,
            "lives": LIVES,
            "rights": RIGHTS,
            "rows": range(SCOPES),
            "text": text,
            "made": made,
            "tabs": ACCOUNT_TABS,
            "tab": "/account/tokens",
        },
    )


async def create(visit: Visit) -> Shown:
    """Make one, and show it, this once. Raises AccountInvalid."""
    scope = grants(visit) or None
    if visit.field("scope") == "all" and scope is not None:
        raise AccountInvalid("repositories are named, and yet the token is to do everything", "Choose one of the two")
    if visit.field("scope") != "all" and scope is None:
        raise AccountInvalid("name at least one repository, or let the token do everything that you may")
    text, made = await visit.accounts.tokens.create(visit.by, visit.user, visit.field("name"), scope, life(visit))
    return await tokens(visit, text, made)


async def revoke(visit: Visit) -> Done:
    """Revoke one of the visitor's. Raises AccountUnknown."""
    identity = visit.field("token")
    if (await visit.accounts.tokens.get(identity)).account != visit.user:
        raise AccountUnknown("token", identity)
    await visit.accounts.tokens.delete(visit.by, identity)
    return Done("/account/tokens", "revoked")


PAGES = {"/account/tokens": Page(tokens, guards.somebody, {"create": create, "revoke": revoke})}
