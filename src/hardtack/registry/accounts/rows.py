"""What is stored of accounts, as values: what the library hands out and the command line and the pages show."""

from __future__ import annotations

from typing import NamedTuple

USER, ORGANISATION, ROBOT = "user", "organisation", "robot"
FORMER = "former"
"""What stays of a deleted account whose repositories do: a name that nobody gets by chance."""

OWNER, MEMBER = "owner", "member"


class Account(NamedTuple):
    """A user, an organisation or a robot; times in seconds since 1970, `seen` None for never."""

    name: str
    kind: str
    owner: str
    title: str
    email: str
    admin: bool
    active: bool
    must_change: bool
    has_password: bool
    issuer: str
    created: float
    seen: float | None


class Membership(NamedTuple):
    """Somebody in an organisation; `name` is the account's or the organisation's, whichever was asked for."""

    name: str
    role: str


class Team(NamedTuple):
    """A team of an organisation."""

    organisation: str
    name: str
    members: tuple[str, ...]
    created: float


class Token(NamedTuple):
    """A token without its secret; `scope` as people write it, "" for all that the account may."""

    id: str
    account: str
    name: str
    kind: str
    scope: tuple[tuple[str, str], ...] | None
    created: float
    expires: float | None
    used: float | None


class Permission(NamedTuple):
    """A grant on record: to a user, a robot, an organisation's team ("org/team")."""

    id: int
    kind: str
    holder: str
    pattern: str
    rights: str
    created: float
    created_by: str
