"""Personal access tokens, and the secrets that docker keeps instead of a password: made, listed, revoked.

A token is good for what its account may, within its scope; the text of it is handed out once and never stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.accounts import tokens
from hardtack.registry.accounts.changes import By, changed, find, is_admin, is_self
from hardtack.registry.accounts.errors import AccountConflict, AccountInvalid, AccountUnknown
from hardtack.registry.accounts.rows import USER, Token
from hardtack.registry.accounts.standing import unchanged
from hardtack.registry.accounts.words import write_rights
from hardtack.registry.errors import Denied
from hardtack.registry.metadata.script import first

if TYPE_CHECKING:
    from hardtack.registry.access import Grant
    from hardtack.registry.metadata.database import Database
    from hardtack.registry.metadata.script import Script

REFRESH_LIFE = 90 * 86_400.0
"""How long docker's own secret is good for after it was last used, in seconds."""
_PER_ACCOUNT = 200
_REFRESH_PER_ACCOUNT = 50
_NAME_LIMIT = 100
_SELECT = (
    "SELECT t.id, a.name, t.name, t.kind, t.scope, t.created, t.expires, t.used FROM token t"
    " JOIN account a ON a.id = t.account"
)


class PersonalTokens:
    """See the module. A user's tokens are the user's own business, and the admins'; else Denied is raised.

    A caller who came with a scoped token makes none: it could reach further than the one at hand.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    async def create(
        self, by: By, user: str, name: str, scope: tuple[Grant, ...] | None = None, life: float | None = None
    ) -> tuple[str, Token]:
        """Make a token.

        Args:
            name: what it is for, in the user's words.
            scope: what it is good for at most; None for all that the account may.
            life: seconds; None for ever.
        Returns:
            Its text, to be shown once, and what is known of it.
        Raises:
            AccountInvalid, AccountUnknown, AccountConflict: there are too many.
        """
        _need(by, user)
        tokens.check_scope(scope)
        if not 0 < len(name) <= _NAME_LIMIT or not name.isprintable():
            raise AccountInvalid(f"a token has a name of at most {_NAME_LIMIT} characters, that says what it is for")
        if life is not None and life <= 0:
            raise AccountInvalid("a token cannot have expired before it was made")
        text, secret = tokens.make(tokens.PERSONAL)
        now = self._db.now()
        until = None if life is None else now + life
        return text, await self._db.write(_create, by, user, name, secret, scope, until, now)

    async def delete(self, by: By, identity: str) -> None:
        """Revoke a token, at once and everywhere. Raises AccountUnknown."""
        token = await self.get(identity)
        if token.kind == tokens.ROBOT:
            raise AccountUnknown("token", identity)
        _need(by, token.account)
        await self._db.write(_delete, by, identity, self._db.now())

    async def get(self, identity: str) -> Token:
        """One token. Raises AccountUnknown."""
        return await self._db.browse(token, identity)

    async def all(self, user: str) -> list[Token]:
        """The tokens of an account, newest first."""
        return await self._db.browse(tokens_of, user)

    async def refreshing(self, account: str, client: str, stamp: str) -> str:
        """A secret for docker to keep instead of the password; the oldest go when there are too many.

        Args:
            stamp: of the password that was verified.
        Raises:
            Unauthorized: it has been changed since.
        """
        text, secret = tokens.make(tokens.REFRESH)
        now = self._db.now()
        await self._db.write(_create_refresh, account, client, stamp, secret, now)
        return text


def _need(by: By, user: str) -> None:
    if not (is_self(by.caller, user) or is_admin(by.caller)):
        raise Denied("administer", f"the tokens of {user}")


def token(identity: str) -> Script[Token]:
    """One token."""
    row = yield from first(f"{_SELECT} WHERE t.id = ?", identity)
    if row is None:
        raise AccountUnknown("token", identity)
    return _token(row)


def tokens_of(user: str) -> Script[list[Token]]:
    """The tokens of an account."""
    rows = yield f"{_SELECT} WHERE a.name = ? ORDER BY t.created DESC, t.id", (user,)
    return [_token(row) for row in rows]


def _token(row: tuple[object, ...]) -> Token:
    scope = tokens.read_scope(str(row[4]))
    words = None if scope is None else tuple((grant.pattern, write_rights(grant.actions)) for grant in scope)
    return Token._make((*row[:4], words, *row[5:]))


def insert(
    account: int, name: str, secret: tokens.Secret, scope: tuple[Grant, ...] | None, until: float | None, now: float
) -> Script[None]:
    """Write a token."""
    yield (
        "INSERT INTO token (id, account, name, secret, scope, created, expires, kind) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (secret.id, account, name, secret.hash, tokens.write_scope(scope), now, until, secret.kind),
    )


def _create(
    by: By,
    user: str,
    name: str,
    secret: tokens.Secret,
    scope: tuple[Grant, ...] | None,
    until: float | None,
    now: float,
) -> Script[Token]:
    account = yield from find(user, USER)
    rows = yield "SELECT count(*) FROM token WHERE account = ? AND kind = 'personal'", (account,)
    if rows[0][0] >= _PER_ACCOUNT:
        raise AccountConflict(f"{user} has {_PER_ACCOUNT} tokens already", "Revoke those that are not used")
    yield from insert(account, name, secret, scope, until, now)
    yield from changed(by, "token.create", user, f"{secret.id} {name}", now)
    return (yield from token(secret.id))


def _delete(by: By, identity: str, now: float) -> Script[None]:
    found = yield from token(identity)
    yield "DELETE FROM token WHERE id = ?", (identity,)
    yield from changed(by, "token.delete", found.account, f"{identity} {found.name}", now)


def _create_refresh(account: str, client: str, stamp: str, secret: tokens.Secret, now: float) -> Script[None]:
    # No worker remembers anything about a token that is new, so the number of rights need not grow.
    identity = yield from unchanged(account, stamp)
    yield (
        "DELETE FROM token WHERE id IN (SELECT id FROM token WHERE account = ? AND kind = 'refresh'"
        " ORDER BY coalesce(used, created) DESC LIMIT 1000 OFFSET ?)",
        (identity, _REFRESH_PER_ACCOUNT - 1),
    )
    name = "".join(letter for letter in client if letter.isprintable())[:_NAME_LIMIT] or "docker"
    yield from insert(identity, name, secret, None, now + REFRESH_LIFE, now)


def note_used(used: dict[str, float], accounts: dict[str, float]) -> Script[None]:
    """Write down when tokens and accounts were last used; what docker keeps lives on by it."""
    for identity, moment in sorted(used.items()):
        yield (
            "UPDATE token SET used = ?, expires = CASE WHEN kind = 'refresh' THEN ? ELSE expires END WHERE id = ?",
            (moment, moment + REFRESH_LIFE, identity),
        )
    for name, moment in sorted(accounts.items()):
        yield "UPDATE account SET seen = ? WHERE name = ?", (moment, name)


def drop_expired(before: float) -> Script[None]:
    """Forget what docker kept and did not use; personal tokens stay to be seen as expired."""
    yield "DELETE FROM token WHERE kind = 'refresh' AND expires < ?", (before,)
