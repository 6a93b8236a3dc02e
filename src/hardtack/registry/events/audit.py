"""The audit log: who did what, from where, written in the transaction that did it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script

_LIMIT = 1000


class Entry(NamedTuple):
    """One thing that somebody did; times in seconds since 1970."""

    id: int
    moment: float
    who: str
    address: str
    action: str
    target: str
    detail: str


def entries(who: str, before: int, limit: int) -> Script[list[Entry]]:
    """What was done, latest first; by one account when it is given, before one entry."""
    wanted = (" AND who = ?", (who,)) if who else ("", ())
    rows = yield (
        "SELECT id, moment, who, address, action, target, detail FROM audit"
        f" WHERE id < ?{wanted[0]} ORDER BY id DESC LIMIT ?",
        (before, *wanted[1], limit),
    )
    return [Entry._make(row) for row in rows]


def audit(who: str, address: str, action: str, target: str, detail: str, now: float) -> Script[None]:
    """Write an entry.

    Args:
        who: the account; "" for somebody unknown, "shell:NAME" for somebody at the server's command line.
        address: of the client, or "".
        action: noun and verb, as in user.create.
        target: what it was done to.
        detail: never a secret.
    """
    yield (
        "INSERT INTO audit (moment, who, address, action, target, detail) VALUES (?, ?, ?, ?, ?, ?)",
        (now, who[:_LIMIT], address[:_LIMIT], action, target[:_LIMIT], detail[:_LIMIT]),
    )
