"""Accounts as they are shown: one by its name, or all of a kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.accounts.errors import AccountUnknown
from hardtack.registry.accounts.rows import FORMER, Account
from hardtack.registry.metadata.reading import literal
from hardtack.registry.metadata.script import first

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script

_ACCOUNT = (
    "SELECT a.name, a.kind, coalesce(o.name, ''), a.title, a.email, a.admin, a.active, a.must_change,"
    " CASE WHEN a.password = '' THEN 0 ELSE 1 END, a.issuer, a.created, a.seen"
    " FROM account a LEFT JOIN account o ON o.id = a.owner"
)


def account(name: str) -> Script[Account]:
    """One account. Raises AccountUnknown."""
    row = yield from first(f"{_ACCOUNT} WHERE a.name = ? AND a.kind <> '{FORMER}'", name)
    if row is None:
        raise AccountUnknown("account", name)
    return _account(row)


def accounts(kind: str, containing: str, after: str, limit: int) -> Script[list[Account]]:
    """Accounts of a kind after a name."""
    rows = yield (
        f"{_ACCOUNT} WHERE a.kind = ? AND a.name > ? AND lower(a.name) LIKE ? ESCAPE '\\' ORDER BY a.name LIMIT ?",
        (kind, after, f"%{literal(containing.lower())}%", limit),
    )
    return [_account(row) for row in rows]


def _account(row: tuple[object, ...]) -> Account:
    flags = [bool(value) for value in row[5:9]]
    return Account._make((*row[:5], *flags, *row[9:]))
