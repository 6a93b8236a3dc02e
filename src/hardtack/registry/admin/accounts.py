"""Users, organisations, teams, robots, tokens and grants by the JSON API: the library's rules say who may do what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hardtack.registry.access import Grant
from hardtack.registry.accounts import rows, words
from hardtack.registry.accounts.changes import By, is_admin, is_self
from hardtack.registry.admin.table import Endpoint, refused
from hardtack.registry.errors import BadRequest, Denied

if TYPE_CHECKING:
    from hardtack.registry.admin.table import Ask


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


class NewOrganisation(msgspec.Struct, forbid_unknown_fields=True):
    """An organisation to be made, and the user who owns it first."""

    name: str
    owner: str
    title: str = ""


class Role(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody is in an organisation: owner or member."""

    role: str = rows.MEMBER


class NewTeam(msgspec.Struct, forbid_unknown_fields=True):
    """A team to be made."""

    name: str


class Scoped(msgspec.Struct, forbid_unknown_fields=True):
    """Rights on the repositories that a pattern covers: read, write, maintain, admin, or single actions."""

    pattern: str
    rights: str


class NewToken(msgspec.Struct, forbid_unknown_fields=True):
    """A token to be made: what it is for, what it is good for at most, and for how many seconds."""

    name: str
    scope: list[Scoped] | None = None
    life: float | None = None


class NewRobot(msgspec.Struct, forbid_unknown_fields=True):
    """A robot to be made: its own part of its name, what it may, and for how many seconds its secret is good."""

    name: str
    grants: list[Scoped] = []
    life: float | None = None
    title: str = ""


class Life(msgspec.Struct, forbid_unknown_fields=True):
    """For how many seconds a secret is good; for ever without."""

    life: float | None = None


class Active(msgspec.Struct, forbid_unknown_fields=True):
    """Whether it may log in."""

    active: bool


class NewGrant(msgspec.Struct, forbid_unknown_fields=True):
    """Rights to be given, to a user, a robot (`team+ci`) or a team (`team/name`)."""

    holder: str
    pattern: str
    rights: str


class MadeToken(msgspec.Struct):
    """A new token, with its text, which is shown this once."""

    text: str
    token: rows.Token


class MadeRobot(msgspec.Struct):
    """A new robot, with its secret, which is shown this once."""

    secret: str
    robot: rows.Account


class Secret(msgspec.Struct):
    """A new secret, shown this once."""

    secret: str


def _by(ask: Ask) -> By:
    ask.expect_somebody()
    return By.of(ask.caller, ask.address)


def _grants(scoped: list[Scoped]) -> tuple[Grant, ...]:
    return tuple(Grant(one.pattern, words.read_rights(one.rights)) for one in scoped)


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
    return await ask.accounts().users.create(_by(ask), new.name, new.password, new.title, new.email, new.admin)


async def user(ask: Ask) -> rows.Account:
    """One user."""
    _expect_admin_or(ask, ask.path["user"])
    return await ask.accounts().users.get(ask.path["user"])


async def change_user(ask: Ask) -> rows.Account:
    """Change a user."""
    library, by, name, said = ask.accounts().users, _by(ask), ask.path["user"], ask.body
    if said.admin is not None:
        await library.set_admin(by, name, said.admin)
    if said.active is not None:
        await library.set_active(by, name, said.active)
    return await library.edit(by, name, said.title, said.email)


async def delete_user(ask: Ask) -> None:
    """Delete a user."""
    await ask.accounts().users.delete(_by(ask), ask.path["user"])


async def set_password(ask: Ask) -> Secret:
    """Give a user a one-time password."""
    from hardtack.registry.accounts.passwords import generate_password

    password = ask.body.password or generate_password()
    await ask.accounts().users.set_password(_by(ask), ask.path["user"], password)
    return Secret(password)


async def end_sessions(ask: Ask) -> None:
    """End every session of a user."""
    await ask.accounts().sessions.end_all(_by(ask), ask.path["user"])


async def tokens(ask: Ask) -> list[rows.Token]:
    """A user's tokens."""
    _expect_admin_or(ask, ask.path["user"])
    return await ask.accounts().tokens.all(ask.path["user"])


async def create_token(ask: Ask) -> MadeToken:
    """Make a token."""
    new = ask.body
    scope = None if new.scope is None else _grants(new.scope)
    text, made = await ask.accounts().tokens.create(_by(ask), ask.path["user"], new.name, scope, new.life)
    return MadeToken(text, made)


async def delete_token(ask: Ask) -> None:
    """Revoke a token."""
    library = ask.accounts().tokens
    by, identity = _by(ask), ask.path["token"]
    token = await library.get(identity)
    if token.account != ask.path["user"]:
        raise BadRequest(f"the token is not one of {ask.path['user']}")
    await library.delete(by, identity)


async def organisations(ask: Ask) -> list[rows.Account]:
    """Organisations, by name."""
    ask.expect_somebody()
    query = ask.query
    return await ask.accounts().users.all(rows.ORGANISATION, query.get("q", ""), query.get("last", ""), ask.limit())


async def create_organisation(ask: Ask) -> rows.Account:
    """Make an organisation."""
    new = ask.body
    return await ask.accounts().organisations.create(_by(ask), new.name, new.owner, new.title)


async def delete_organisation(ask: Ask) -> None:
    """Delete an organisation."""
    await ask.accounts().organisations.delete(_by(ask), ask.path["organisation"])


async def members(ask: Ask) -> list[rows.Membership]:
    """Who is in an organisation."""
    await _expect_member(ask)
    return await ask.accounts().organisations.members(ask.path["organisation"])


async def _expect_member(ask: Ask) -> None:
    name, organisation = ask.expect_somebody(), ask.path["organisation"]
    if is_admin(ask.caller):
        return
    members = await ask.accounts().organisations.members(organisation)
    if not is_self(ask.caller, name) or name not in [one.name for one in members]:
        raise Denied("see", organisation)


async def set_member(ask: Ask) -> None:
    """Take somebody in, or give them another role."""
    await ask.accounts().organisations.set_member(_by(ask), ask.path["organisation"], ask.path["user"], ask.body.role)


async def remove_member(ask: Ask) -> None:
    """Take somebody out."""
    await ask.accounts().organisations.remove_member(_by(ask), ask.path["organisation"], ask.path["user"])


async def teams(ask: Ask) -> list[rows.Team]:
    """The teams of an organisation."""
    await _expect_member(ask)
    return await ask.accounts().teams.all(ask.path["organisation"])


async def create_team(ask: Ask) -> rows.Team:
    """Make a team."""
    return await ask.accounts().teams.create(_by(ask), ask.path["organisation"], ask.body.name)


async def delete_team(ask: Ask) -> None:
    """Delete a team."""
    await ask.accounts().teams.delete(_by(ask), ask.path["organisation"], ask.path["team"])


async def add_to_team(ask: Ask) -> None:
    """Put somebody into a team."""
    await ask.accounts().teams.add(_by(ask), ask.path["organisation"], ask.path["team"], ask.path["user"])


async def take_from_team(ask: Ask) -> None:
    """Take somebody out of a team."""
    await ask.accounts().teams.remove(_by(ask), ask.path["organisation"], ask.path["team"], ask.path["user"])


async def robots(ask: Ask) -> list[rows.Account]:
    """The robots of a user or an organisation."""
    from hardtack.registry.accounts.changes import need_rule

    need_rule(_by(ask), ask.path["owner"])
    return await ask.accounts().robots.all(ask.path["owner"])


async def create_robot(ask: Ask) -> MadeRobot:
    """Make a robot."""
    new = ask.body
    secret, robot = await ask.accounts().robots.create(
        _by(ask), ask.path["owner"], new.name, _grants(new.grants), new.life, new.title
    )
    return MadeRobot(secret, robot)


async def rotate_robot(ask: Ask) -> Secret:
    """Give a robot another secret."""
    return Secret(await ask.accounts().robots.rotate(_by(ask), _robot(ask), ask.body.life))


async def switch_robot(ask: Ask) -> None:
    """Disable a robot, or enable it again."""
    await ask.accounts().robots.set_active(_by(ask), _robot(ask), ask.body.active)


async def delete_robot(ask: Ask) -> None:
    """Delete a robot."""
    await ask.accounts().robots.delete(_by(ask), _robot(ask))


def _robot(ask: Ask) -> str:
    return f"{ask.path['owner']}+{ask.path['robot']}"


async def grants(ask: Ask) -> list[rows.Permission]:
    """What was granted: to one holder, or (for administrators) to everybody."""
    ask.expect_somebody()
    library, holder = ask.accounts().permissions, ask.query.get("holder", "")
    if not is_admin(ask.caller) and not (holder and is_self(ask.caller, holder)):
        raise refused(ask.caller)
    if holder:
        return await library.of(holder)
    last = ask.query.get("last", "0")
    return await library.all(int(last) if last.isascii() and last.isdigit() and len(last) < 18 else 0, ask.limit())


async def give(ask: Ask) -> rows.Permission:
    """Give rights."""
    new = ask.body
    grant = Grant(new.pattern, words.read_rights(new.rights))
    return await ask.accounts().permissions.give(_by(ask), new.holder, grant)


async def take(ask: Ask) -> None:
    """Take rights back."""
    await ask.accounts().permissions.take(_by(ask), ask.number("grant"))


_N = ("n", "at most so many, 100 without it, up to 1000")
_PAGES = (("q", "part of the name"), ("last", "the name after which the page begins"), _N)
_ORG, _TEAM = "/organisations/{organisation}", "/organisations/{organisation}/teams/{team}"
_ROBOT = "/robots/{owner}/{robot}"

ENDPOINTS = (
    Endpoint("GET", "/account", me, "Show the account that asks", gives=rows.Account),
    Endpoint("GET", "/users", users, "List users; for admins", gives=list[rows.Account], query=_PAGES),
    Endpoint("POST", "/users", create_user, "Make a user; for admins", NewUser, rows.Account, status=201),
    Endpoint("GET", "/users/{user}", user, "Show a user, to admins and to themselves", gives=rows.Account),
    Endpoint("PATCH", "/users/{user}", change_user, "Change a user", UserChange, rows.Account),
    Endpoint("DELETE", "/users/{user}", delete_user, "Delete a user with their tokens and rights; for admins"),
    Endpoint("POST", "/users/{user}/password", set_password, "Give a one-time password", OneTimePassword, Secret),
    Endpoint("DELETE", "/users/{user}/sessions", end_sessions, "End every session of a user"),
    Endpoint("GET", "/users/{user}/tokens", tokens, "List a user's tokens", gives=list[rows.Token]),
    Endpoint("POST", "/users/{user}/tokens", create_token, "Make a token", NewToken, MadeToken, status=201),
    Endpoint("DELETE", "/users/{user}/tokens/{token}", delete_token, "Revoke a token, at once and everywhere"),
    Endpoint("GET", "/organisations", organisations, "List organisations", gives=list[rows.Account], query=_PAGES),
    Endpoint(
        "POST", "/organisations", create_organisation, "Make one; for admins", NewOrganisation, rows.Account, status=201
    ),
    Endpoint("DELETE", _ORG, delete_organisation, "Delete an organisation; for admins"),
    Endpoint("GET", f"{_ORG}/members", members, "List members", gives=list[rows.Membership]),
    Endpoint("PUT", f"{_ORG}/members/{{user}}", set_member, "Take somebody in, or give another role", Role),
    Endpoint("DELETE", f"{_ORG}/members/{{user}}", remove_member, "Take somebody out"),
    Endpoint("GET", f"{_ORG}/teams", teams, "List teams", gives=list[rows.Team]),
    Endpoint("POST", f"{_ORG}/teams", create_team, "Make a team", NewTeam, rows.Team, status=201),
    Endpoint("DELETE", _TEAM, delete_team, "Delete a team with what was granted to it"),
    Endpoint("PUT", f"{_TEAM}/members/{{user}}", add_to_team, "Put a member into a team"),
    Endpoint("DELETE", f"{_TEAM}/members/{{user}}", take_from_team, "Take somebody out of a team"),
    Endpoint("GET", "/robots/{owner}", robots, "List a user's or an organisation's robots", gives=list[rows.Account]),
    Endpoint("POST", "/robots/{owner}", create_robot, "Make a robot", NewRobot, MadeRobot, status=201),
    Endpoint("PATCH", _ROBOT, switch_robot, "Disable a robot, or enable it again", Active),
    Endpoint("POST", f"{_ROBOT}/secret", rotate_robot, "Give a robot another secret", Life, Secret),
    Endpoint("DELETE", _ROBOT, delete_robot, "Delete a robot"),
    Endpoint(
        "GET",
        "/grants",
        grants,
        "List what was granted",
        gives=list[rows.Permission],
        query=(("holder", "to whom"), ("last", "the number after which the page begins"), _N),
    ),
    Endpoint(
        "POST", "/grants", give, "Give rights on a pattern that one administers", NewGrant, rows.Permission, status=201
    ),
    Endpoint("DELETE", "/grants/{grant}", take, "Take rights back, at once and everywhere"),
)
