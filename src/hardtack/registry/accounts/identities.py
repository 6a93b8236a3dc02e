"""Which account belongs to whom at an OpenID Connect provider: by issuer and subject, and by nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.access import Caller
from hardtack.registry.accounts.changes import By, changed, find
from hardtack.registry.accounts.errors import AccountConflict
from hardtack.registry.accounts.namespaces import owns_repositories
from hardtack.registry.accounts.rows import FORMER, USER
from hardtack.registry.accounts.users import insert
from hardtack.registry.metadata.script import first

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script


def find_identity(issuer: str, subject: str) -> Script[str]:
    """The name of the account of somebody; "" when they have none."""
    row = yield from first(
        "SELECT name FROM account WHERE issuer = ? AND subject = ? AND subject <> '' AND kind <> ?",
        issuer,
        subject,
        FORMER,
    )
    return str(row[0]) if row else ""


def adopt(name: str, issuer: str, subject: str, title: str, now: float) -> Script[None]:
    """Make an account for somebody who comes for the first time.

    Raises:
        AccountConflict: the name is taken, by somebody else, by another login, or by repositories that were here before
            and that nobody but an admin gives to somebody.
    """
    if (yield from owns_repositories(name)):
        raise AccountConflict(f"there are repositories in {name}/ already", "Ask an admin of the registry for them")
    identity = yield from insert(name, USER, "", False, False, title, "", now)
    yield "UPDATE account SET issuer = ?, subject = ? WHERE id = ?", (issuer, subject, identity)
    yield from changed(By(name, Caller(name)), "user.create", name, f"by {issuer}", now)


def link(by: By, name: str, issuer: str, subject: str, now: float) -> Script[None]:
    """Say who an account belongs to at a provider; an empty subject, to nobody there.

    Raises:
        AccountUnknown; AccountConflict: another account is theirs.
    """
    identity = yield from find(name, USER)
    owner = yield from find_identity(issuer, subject)
    if owner and owner != name:
        raise AccountConflict(f"{subject} at {issuer} has the account {owner} already")
    yield (
        "UPDATE account SET issuer = ?, subject = ? WHERE id = ?",
        (issuer if subject else "", subject, identity),
    )
    yield from changed(by, "user.link", name, f"{subject} at {issuer}" if subject else "", now)
