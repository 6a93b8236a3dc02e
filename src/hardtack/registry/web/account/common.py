"""What forms about accounts have in common: lifetimes, scopes, grants, and the tabs above."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.access import ROLES, Grant
from hardtack.registry.accounts import words
from hardtack.registry.accounts.errors import AccountInvalid

if TYPE_CHECKING:
    from hardtack.registry.web.visit import Visit

LIVES = (("7", "7 days"), ("30", "30 days"), ("90", "90 days"), ("365", "a year"), ("", "for ever"))
RIGHTS = tuple(ROLES)
SCOPES = 3
"""Rows for patterns in a form."""
ACCOUNT_TABS = (
    ("/account", "Profile"),
    ("/account/tokens", "Tokens"),
    ("/account/robots", "Robots"),
    ("/account/password", "Password"),
)
_DAY = 86_400.0


def life(visit: Visit) -> float | None:
    """For how long something is to be good, in seconds; None for ever. Raises AccountInvalid."""
    text = visit.field("life")
    if text not in dict(LIVES):
        raise AccountInvalid("choose for how long it is good")
    return float(text) * _DAY if text else None


def grant(visit: Visit, number: str = "") -> Grant | None:
    """A pattern and rights out of a row of a form; None when the row is empty. Raises AccountInvalid."""
    pattern = visit.field(f"pattern{number}")
    return Grant(pattern, words.read_rights(visit.field(f"rights{number}"))) if pattern else None


def grants(visit: Visit) -> tuple[Grant, ...]:
    """All rows. Raises AccountInvalid."""
    return tuple(found for number in range(SCOPES) if (found := grant(visit, str(number))) is not None)
