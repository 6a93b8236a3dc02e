"""One's own account: who one is, the organisations one is in, the namespace, sessions; and the password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.accounts.errors import AccountInvalid
from hardtack.registry.web import guards
from hardtack.registry.web.account.common import ACCOUNT_TABS
from hardtack.registry.web.home import VISIBILITIES
from hardtack.registry.web.page import Done, Page, Shown

if TYPE_CHECKING:
    from hardtack.registry.web.visit import Visit


async def profile(visit: Visit) -> Shown:
    """What is known of the visitor."""
    accounts, name = visit.accounts, visit.user
    return Shown(
        "account/profile.html",
        {
            "account": await accounts.users.get(name),
            "organisations": await accounts.organisations.of(name),
            "grants": await accounts.permissions.of(name),
            "namespace": await visit.namespaces.get(name),
            "visibilities": VISIBILITIES,
            "tabs": ACCOUNT_TABS,
            "tab": "/account",
        },
    )


async def edit(visit: Visit) -> Done:
    """Change name and address."""
    await visit.accounts.users.edit(visit.by, visit.user, visit.field("title"), visit.field("email"))
    return Done("/account", "saved")


async def set_visibility(visit: Visit) -> Done:
    """Say who sees new repositories of the visitor's."""
    await visit.namespaces.set_visibility(visit.user, visit.field("visibility"))
    await visit.note("namespace.visibility", visit.user, visit.field("visibility"))
    return Done("/account", "saved")


async def end_sessions(visit: Visit) -> Done:
    """Log out everywhere, this browser included."""
    await visit.accounts.sessions.end_all(visit.by, visit.user)
    return Done("/login", "ended")


async def password(visit: Visit) -> Shown:
    """The form for another password."""
    account = await visit.accounts.users.get(visit.user)
    tabs = () if visit.caller.must_change else ACCOUNT_TABS
    return Shown("account/password.html", {"account": account, "tabs": tabs, "tab": "/account/password"})


async def change_password(visit: Visit) -> Done:
    """Choose another password."""
    new = visit.fields.get("new", "")
    if new != visit.fields.get("again", ""):
        raise AccountInvalid("the new password was typed in two ways")
    session = visit.logged_in()
    await visit.accounts.sessions.change_password(session, visit.fields.get("old", ""), new, visit.address)
    return Done("/account", "password")


PAGES = {
    "/account": Page(
        profile, guards.somebody, {"edit": edit, "visibility": set_visibility, "end-sessions": end_sessions}
    ),
    "/account/password": Page(password, guards.somebody, {"change": change_password}),
}
