"""What an account may at this moment, from its row and from everything that was granted to it: asked, never remembered.

Who keeps the answer keeps the number "rights" beside it, read before; while that has not grown, the answer holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardtack.registry.access import ALL, ROLES, Action, Caller, Claims, Grant
from hardtack.registry.accounts.passwords import stamp_of
from hardtack.registry.accounts.rows import OWNER, ROBOT, USER
from hardtack.registry.accounts.tokens import read_scope
from hardtack.registry.accounts.words import unstored
from hardtack.registry.errors import Unauthorized
from hardtack.registry.metadata.script import first

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script

ENTER = Grant("**", frozenset((Action.ENTER,)))


@dataclass(frozen=True, slots=True)
class Standing:
    """An account that may log in.

    Attributes:
        password: as it is stored.
        grants: all that was granted to it, now.
    """

    id: int
    name: str
    kind: str
    password: str
    must_change: bool
    admin: bool
    active: bool
    grants: tuple[Grant, ...]

    @property
    def stamp(self) -> str:
        """What tells this password from the one before."""
        return stamp_of(self.password)

    def caller(self, scope: tuple[Grant, ...] | None = None, claims: Claims | None = None) -> Caller:
        """The account as somebody who asks. With a one-time password it may nothing but choose another."""
        grants = () if self.must_change else self.grants
        bound = None if scope is None else (ENTER, *scope)
        return Caller(self.name, grants, bound, claims, self.admin and not self.must_change, self.must_change)


@dataclass(frozen=True, slots=True)
class TokenRow:
    """What is stored of a token, with the account that it belongs to."""

    secret: str
    kind: str
    account: str
    scope: tuple[Grant, ...] | None
    expires: float | None


def standing(name: str) -> Script[Standing | None]:
    """An account by its name, with what it may; None when nobody could log in under that name."""
    row = yield from first(
        "SELECT a.id, a.name, a.kind, a.password, a.must_change, a.admin, a.active, coalesce(o.active, 1)"
        " FROM account a LEFT JOIN account o ON o.id = a.owner WHERE a.name = ?",
        name,
    )
    if row is None or row[2] not in (USER, ROBOT):
        return None
    identity, name, kind, password, must_change, admin, active, owner_active = row
    granted = yield from _granted(identity)
    if admin:
        granted = [Grant("**", ALL)]
    elif kind == USER:
        granted = [Grant(f"{name}/**", ROLES["admin"]), *(yield from _in_organisations(identity)), *granted]
    return Standing(
        identity, name, kind, password, bool(must_change), bool(admin), bool(active and owner_active), (ENTER, *granted)
    )


def _granted(identity: int) -> Script[list[Grant]]:
    rows = yield (
        "SELECT pattern, actions FROM permission WHERE account = ?"
        " UNION ALL SELECT p.pattern, p.actions FROM team_member m JOIN permission p ON p.team = m.team"
        " JOIN team t ON t.id = m.team JOIN account o ON o.id = t.organisation"
        " WHERE m.account = ? AND o.active = 1",
        (identity, identity),
    )
    return [Grant(pattern, unstored(actions)) for pattern, actions in rows]


def _in_organisations(identity: int) -> Script[list[Grant]]:
    rows = yield (
        "SELECT o.name, m.role FROM membership m JOIN account o ON o.id = m.organisation"
        " WHERE m.account = ? AND o.active = 1",
        (identity,),
    )
    return [Grant(f"{name}/**", ROLES["admin" if role == OWNER else "read"]) for name, role in rows]


def unchanged(name: str, stamp: str) -> Script[int]:
    """The id of a user whose password is still the one that was verified; it is not changed before the end.

    Whoever knows the old one and is just logging in must not get what outlives the change.

    Raises:
        Unauthorized: it is another.
    """
    row = yield from first("SELECT id, password FROM account WHERE name = ? AND kind = ? FOR UPDATE", name, USER)
    if row is None or stamp_of(row[1]) != stamp:
        raise Unauthorized("the password has been changed", "Log in again", "invalid_token")
    identity: int = row[0]
    return identity


def token(identity: str) -> Script[TokenRow | None]:
    """A token by its id."""
    row = yield from first(
        "SELECT t.secret, t.kind, a.name, t.scope, t.expires FROM token t JOIN account a ON a.id = t.account"
        " WHERE t.id = ?",
        identity,
    )
    return None if row is None else TokenRow(row[0], row[1], row[2], read_scope(row[3]), row[4])
