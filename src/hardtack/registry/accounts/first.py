"""The first account of a registry: `admin`, with a password that is shown once and only serves to choose another.

However many replicas start at the same moment, one of them makes it, and only that one has a password to show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.accounts.changes import By, changed
from hardtack.registry.accounts.passwords import generate_password
from hardtack.registry.accounts.rows import USER
from hardtack.registry.metadata.script import hits

if TYPE_CHECKING:
    from hardtack.registry.accounts.passwords import Passwords
    from hardtack.registry.metadata.database import Database
    from hardtack.registry.metadata.script import Script

NAME = "admin"


async def has_accounts(database: Database) -> bool:
    """Whether a registry has accounts, or had."""
    return await database.read(_any)


async def first_admin(database: Database, passwords: Passwords) -> str:
    """Make the first admin of a registry without accounts.

    Returns:
        The one-time password, for whoever started the registry and for nobody's log; "" when there is an account.
    """
    if await has_accounts(database):
        return ""
    password = generate_password()
    made = await database.write(_make, await passwords.hash(password), database.now())
    return password if made else ""


def _any() -> Script[bool]:
    return (yield from hits("SELECT 1 FROM account LIMIT 1"))


def _make(hashed: str, now: float) -> Script[bool]:
    if (yield from _any()):
        return False
    rows = yield (
        "INSERT INTO account (name, kind, password, must_change, admin, created) VALUES (?, ?, ?, 1, 1, ?)"
        " ON CONFLICT (name) DO NOTHING RETURNING id",
        (NAME, USER, hashed, now),
    )
    if not rows:
        return False
    yield from changed(By.shell("first start"), "user.create", NAME, "admin", now)
    return True
