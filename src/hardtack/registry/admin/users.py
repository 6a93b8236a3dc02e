"""Users, their passwords, sessions and tokens by the JSON API: the library's rules say who may do what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hardtack.registry.accounts import rows
from hardtack.registry.accounts.changes import is_admin, is_self
from hardtack.registry.accounts.passwords import generate_password
from hardtack.registry.admin.scoped import Scoped, Secret, grants_of
from hardtack.registry.admin.table import LAST, PART, Endpoint, N
from hardtack.registry.errors import BadRequest, Denied

if TYPE_CHECKING:
    from hardtack.registry.admin.ask import Ask


class NewUser(msgspec.Struct, forbid_unknown_fields=True):
    """A user to be made. The password is only good for choosing another; without one the user logs in otherwise."""

    name: str
    password: str = ""
    title: str = ""
    email: str = ""
    admin: bool = False


class UserChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be another; what is left out stays."""

    title: str | None = None
    email: str | None = None
    admin: bool | None = None
    active: bool | None = None


class OneTimePassword(msgspec.Struct, forbid_unknown_fields=True):
    """A password that is only good for choosing another; without one it is made and told in the answer."""

    password: str = ""


class NewToken(msgspec.Struct, forbid_unknown_fields=True):
    """A token to be made: what it is for, what it is good for at most, and for how many seconds."""

    name: str
    scope: list[Scoped] | None = None
    life: float | None = None


class MadeToken(msgspec.Struct):
    """A new token, with its text, which is shown this once."""

    text: str
    token: rows.Token


def _expect_admin_or(ask: Ask, name: str) -> None:
    """Accounts are shown to those who administer, and to whom they belong."""
    ask.expect_somebody()
    if not (is_admin(ask.caller) or is_self(ask.caller, name)):
        raise Denied("see", name)


async def me(ask: Ask) -> rows.Account:
    """The account that asks. A token of docker's flow is for repositories, and may be by an issuer that is not ours."""
    name = ask.expect_somebody()
    if ask.caller.claims is not None:
        raise Denied("see", name)
    return await ask.accounts().users.get(name)


async def users(ask: Ask) -> list[rows.Account]:
    """Users, by name."""
    ask.expect_admin()
    query = ask.query
    return await ask.accounts().users.all(rows.USER, query.get("q", ""), query.get("last", ""), ask.limit())


async def create_user(ask: Ask) -> rows.Account:
    """Make a user."""
    new = ask.body
    return await ask.accounts().users.create(ask.by(), new.name, new.password, new.title, new.email, new.admin)


async def user(ask: Ask) -> rows.Account:
    """One user."""
    _expect_admin_or(ask, ask.path["user"])
    return await ask.accounts().users.get(ask.path["user"])


async def change_user(ask: Ask) -> rows.Account:
    """Change a user."""
    library, by, name, said = ask.accounts().users, ask.by(), ask.path["user"], ask.body
    if said.admin is not None:
        await library.set_admin(by, name, said.admin)
    if said.active is not None:
        await library.set_active(by, name, said.active)
    return await library.edit(by, name, said.title, said.email)


async def delete_user(ask: Ask) -> None:
    """Delete a user."""
    await ask.accounts().users.delete(ask.by(), ask.path["user"])


async def set_password(ask: Ask) -> Secret:
    """Give a user a one-time password."""
    password = ask.body.password or generate_password()
    await ask.accounts().users.set_password(ask.by(), ask.path["user"], password)
    return Secret(password)


async def end_sessions(ask: Ask) -> None:
    """End every session of a user."""
    await ask.accounts().sessions.end_all(ask.by(), ask.path["user"])


async def tokens(ask: Ask) -> list[rows.Token]:
    """A user's tokens."""
    _expect_admin_or(ask, ask.path["user"])
    return await ask.accounts().tokens.all(ask.path["user"])


async def create_token(ask: Ask) -> MadeToken:
    """Make a token."""
    new = ask.body
    scope = None if new.scope is None else grants_of(new.scope)
    text, made = await ask.accounts().tokens.create(ask.by(), ask.path["user"], new.name, scope, new.life)
    return MadeToken(text, made)


async def delete_token(ask: Ask) -> None:
    """Revoke a token."""
    library = ask.accounts().tokens
    by, identity = ask.by(), ask.path["token"]
    token = await library.get(identity)
    if token.account != ask.path["user"]:
        raise BadRequest(f"the token is not one of {ask.path['user']}")
    await library.delete(by, identity)


ENDPOINTS = (
    Endpoint("GET", "/account", me, "Show the account that asks", gives=rows.Account),
    Endpoint("GET", "/users", users, "List users; for admins", gives=list[rows.Account], query=(PART, LAST, N)),
    Endpoint("POST", "/users", create_user, "Make a user; for admins", NewUser, rows.Account, status=201),
    Endpoint("GET", "/users/{user}", user, "Show a user, to admins and to themselves", gives=rows.Account),
    Endpoint("PATCH", "/users/{user}", change_user, "Change a user", UserChange, rows.Account),
    Endpoint("DELETE", "/users/{user}", delete_user, "Delete a user with their tokens and rights; for admins"),
    Endpoint("POST", "/users/{user}/password", set_password, "Give a one-time password", OneTimePassword, Secret),
    Endpoint("DELETE", "/users/{user}/sessions", end_sessions, "End every session of a user"),
    Endpoint("GET", "/users/{user}/tokens", tokens, "List a user's tokens", gives=list[rows.Token]),
    Endpoint("POST", "/users/{user}/tokens", create_token, "Make a token", NewToken, MadeToken, status=201),
    Endpoint("DELETE", "/users/{user}/tokens/{token}", delete_token, "Revoke a token, at once and everywhere"),
)
