"""Users as those who run the registry see them: made with a one-time password, disabled, promoted, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from hardtack.registry.accounts.errors import AccountInvalid, AccountUnknown
from hardtack.registry.accounts.passwords import generate_password
from hardtack.registry.accounts.rows import USER, Account
from hardtack.registry.web import guards
from hardtack.registry.web.admin.common import ADMIN_TABS, PAGE
from hardtack.registry.web.page import Done, Missing, Page, Shown

if TYPE_CHECKING:
    from hardtack.registry.web.visit import Visit

_HOME = "/admin/users"


async def users(visit: Visit, password: str = "", made: str = "") -> Shown:
    """Users by name, all or those that were searched for."""
    wanted = visit.query.get("q", "").strip()[:100]
    found = await visit.accounts.users.all(USER, wanted, visit.query.get("after", ""), PAGE + 1)
    following = found[PAGE - 1].name if len(found) > PAGE else ""
    return Shown(
        "admin/users.html",
        {
            "wanted": wanted,
            "users": found[:PAGE],
            "next": f"{_HOME}?q={quote(wanted)}&after={quote(following)}" if following else "",
            "password": password,
            "made": made,
            "tabs": ADMIN_TABS,
            "tab": _HOME,
        },
    )


async def create(visit: Visit) -> Shown:
    """Make a user, and show the one-time password, this once."""
    name, password = visit.field("name"), generate_password()
    await visit.accounts.users.create(
        visit.by, name, password, visit.field("title"), visit.field("email"), bool(visit.fields.get("admin"))
    )
    return await users(visit, password, name)


async def _account(visit: Visit) -> Account:
    """The user that the path names. Raises Missing: there is none."""
    try:
        found = await visit.accounts.users.get(visit.at["user"])
    except AccountUnknown:
        raise Missing from None
    if found.kind != USER:
        raise Missing
    return found


async def user(visit: Visit, password: str = "") -> Shown:
    """One user."""
    account = await _account(visit)
    return Shown(
        "admin/user.html",
        {
            "account": account,
            "password": password,
            "organisations": await visit.accounts.organisations.of(account.name),
            "grants": await visit.accounts.permissions.of(account.name),
            "tokens": await visit.accounts.tokens.all(account.name),
            "namespace": await visit.namespaces.get(account.name),
            "tabs": ADMIN_TABS,
            "tab": _HOME,
        },
    )


def _here(visit: Visit) -> str:
    return f"{_HOME}/{visit.at['user']}"


async def enable(visit: Visit) -> Done:
    """Let them log in again."""
    await visit.accounts.users.set_active(visit.by, (await _account(visit)).name, True)
    return Done(_here(visit), "enabled")


async def disable(visit: Visit) -> Done:
    """Let them log in no longer, with anything."""
    await visit.accounts.users.set_active(visit.by, (await _account(visit)).name, False)
    return Done(_here(visit), "disabled")


async def promote(visit: Visit) -> Done:
    """Make them an admin."""
    await visit.accounts.users.set_admin(visit.by, visit.at["user"], True)
    return Done(_here(visit), "saved")


async def demote(visit: Visit) -> Done:
    """Let them be no admin any more."""
    await visit.accounts.users.set_admin(visit.by, visit.at["user"], False)
    return Done(_here(visit), "saved")


async def reset(visit: Visit) -> Shown:
    """Give them a one-time password, and show it, this once."""
    password = generate_password()
    await visit.accounts.users.set_password(visit.by, visit.at["user"], password)
    return await user(visit, password)


async def end_sessions(visit: Visit) -> Done:
    """Log them out everywhere."""
    await visit.accounts.sessions.end_all(visit.by, visit.at["user"])
    return Done(_here(visit), "ended")


async def revoke(visit: Visit) -> Done:
    """Revoke one of their tokens. Raises AccountUnknown."""
    identity = visit.field("token")
    if (await visit.accounts.tokens.get(identity)).account != visit.at["user"]:
        raise AccountUnknown("token", identity)
    await visit.accounts.tokens.delete(visit.by, identity)
    return Done(_here(visit), "revoked")


async def delete(visit: Visit) -> Done:
    """Delete them. Raises AccountInvalid: another name was typed."""
    name = visit.at["user"]
    if visit.field("confirm") != name:
        raise AccountInvalid("what was typed is not the user's name", f"Type {name} to delete the account")
    await visit.accounts.users.delete(visit.by, name)
    return Done(_HOME, "deleted")


PAGES = {
    _HOME: Page(users, guards.admins, {"create": create}),
    f"{_HOME}/{{user}}": Page(
        user,
        guards.admins,
        {
            "enable": enable,
            "disable": disable,
            "promote": promote,
            "demote": demote,
            "reset": reset,
            "end-sessions": end_sessions,
            "revoke": revoke,
            "delete": delete,
        },
    ),
}
