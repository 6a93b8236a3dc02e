"""What every change of accounts and rights has in common: who asks, whether they may, and that everybody learns of it.

Each change runs as one script that also raises the number "rights" and writes into the audit log. Every worker compares
that number at every request, so no change is ever half in force.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardtack.registry.access import ALL, Action, Caller, Grant
from hardtack.registry.accounts.errors import AccountUnknown
from hardtack.registry.accounts.names import is_within
from hardtack.registry.accounts.rows import FORMER
from hardtack.registry.errors import Denied
from hardtack.registry.events.audit import audit
from hardtack.registry.metadata.script import first

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script


@dataclass(frozen=True, slots=True)
class By:
    """Who asks for a change, and from where."""

    who: str
    caller: Caller
    address: str = ""

    @classmethod
    def shell(cls, user: str) -> By:
        """Somebody at the server's command line, who may everything."""
        return cls(f"shell:{user}", Caller("shell", (Grant("**", ALL),), admin=True))

    @classmethod
    def of(cls, caller: Caller, address: str) -> By:
        """A caller who was identified."""
        return cls(caller.name, caller, address)


def is_admin(caller: Caller) -> bool:
    """Whether somebody may change the registry itself, with the credential that they came with."""
    return caller.admin and caller.scope is None and caller.claims is None and not caller.must_change


def administers(caller: Caller, pattern: str) -> bool:
    """Whether somebody may administer everything that a pattern covers: give rights on it, and make robots for it.

    Nobody does with a token that has a scope: what it gave away, a robot's secret, would be good when it is revoked.
    """
    if caller.scope is not None or caller.claims is not None or caller.must_change:
        return False
    return any(Action.ADMIN in grant.actions and is_within(pattern, grant.pattern) for grant in caller.grants)


def is_self(caller: Caller, name: str) -> bool:
    """Whether somebody is this account, and came with a credential that is good for everything."""
    whole = caller.scope is None and caller.claims is None and not caller.must_change
    return whole and bool(name) and caller.name == name


def need_admin(by: By) -> None:
    """Raises Denied: who asks is no admin."""
    if not is_admin(by.caller):
        raise Denied("administer", "the registry")


def need_rule(by: By, name: str) -> None:
    """Who may decide about what belongs to a user or an organisation: themselves, and who administers their namespace.

    Raises:
        Denied: anybody else.
    """
    if not (is_self(by.caller, name) or administers(by.caller, f"{name}/**")):
        raise Denied("administer", name)


def changed(by: By, action: str, target: str, detail: str, now: float) -> Script[None]:
    """Let every worker learn that accounts or rights are others now, and write down who did it."""
    yield from grow()
    yield from audit(by.who, by.address, action, target, detail, now)


def grow() -> Script[None]:
    """Let every worker learn that something is another now."""
    yield "UPDATE fact SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE name = 'rights'", ()


def number() -> Script[str]:
    """What grows with every change."""
    rows = yield "SELECT value FROM fact WHERE name = 'rights'", ()
    return str(rows[0][0]) if rows else ""


def find(name: str, *kinds: str) -> Script[int]:
    """The id of an account of one of these kinds.

    Raises:
        AccountUnknown: there is none.
    """
    row = yield from first("SELECT id, kind FROM account WHERE name = ?", name)
    if row is None or row[1] == FORMER or (kinds and row[1] not in kinds):
        raise AccountUnknown(" or ".join(kinds) or "account", name)
    identity: int = row[0]
    return identity
