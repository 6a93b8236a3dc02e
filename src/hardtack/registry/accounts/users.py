"""Users: made, changed, disabled and deleted, by admins; the same rows hold organisations and robots.

A deleted user's repositories stay, in the care of the admins, and as long as there are any the name is nobody's: who
got it would get them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.accounts.changes import By, changed, find, grow, is_admin, is_self, need_admin
from hardtack.registry.accounts.errors import AccountConflict, AccountInvalid
from hardtack.registry.accounts.listing import account, accounts
from hardtack.registry.accounts.names import check_account
from hardtack.registry.accounts.namespaces import owns_repositories, vacate
from hardtack.registry.accounts.passwords import check_password
from hardtack.registry.accounts.rows import FORMER, ROBOT, USER, Account
from hardtack.registry.errors import Denied
from hardtack.registry.metadata.script import first, hits

if TYPE_CHECKING:
    from hardtack.registry.accounts.passwords import Passwords
    from hardtack.registry.metadata.database import Database
    from hardtack.registry.metadata.script import Script

_TEXT_LIMIT = 200
_SUBJECT_LIMIT = 255


class Users:
    """See the module.

    Args:
        reserved: names that nobody gets besides those that no registry gives away.
    """

    def __init__(self, database: Database, passwords: Passwords, reserved: frozenset[str] = frozenset()) -> None:
        self._db = database
        self._passwords = passwords
        self._reserved = reserved

    async def create(
        self,
        by: By,
        name: str,
        password: str = "",
        title: str = "",
        email: str = "",
        admin: bool = False,
        must_change: bool = True,
    ) -> Account:
        """Make a user.

        Args:
            password: "" for a user who logs in otherwise.
            must_change: the password is only good for choosing another.
        Raises:
            Denied, AccountInvalid, AccountConflict: the name is taken.
        """
        need_admin(by)
        check_account(name, self._reserved)
        check_texts(title, email)
        hashed = await self._passwords.hash(check_password(name, password)) if password else ""
        once = must_change and bool(password)
        return await self._db.write(_create, by, name, hashed, once, title, email, admin, self._db.now())

    async def set_password(self, by: By, name: str, password: str, must_change: bool = True) -> None:
        """Give a user another password, and end their sessions. Users do so themselves with the old one, in Sessions.

        Args:
            must_change: it is only good for choosing another.
        """
        need_admin(by)
        hashed = await self._passwords.hash(check_password(name, password))
        await self._db.write(store_password, by, name, hashed, must_change, "", self._db.now())

    async def edit(self, by: By, name: str, title: str | None, email: str | None) -> Account:
        """Change what is known of a user or an organisation; None leaves a text as it is. Users may themselves."""
        if not (is_admin(by.caller) or is_self(by.caller, name)):
            raise Denied("administer", name)
        check_texts(title or "", email or "")
        return await self._db.write(_edit, by, name, title, email, self._db.now())

    async def set_admin(self, by: By, name: str, admin: bool) -> None:
        """Make a user an admin, or no longer one."""
        need_admin(by)
        await self._db.write(_set_admin, by, name, admin, self._db.now())

    async def link(self, by: By, name: str, issuer: str, subject: str) -> None:
        """Say who a user is at an OpenID Connect provider; an empty subject takes that back."""
        from hardtack.registry.accounts.identities import link

        need_admin(by)
        if len(subject) > _SUBJECT_LIMIT or not subject.isprintable():
            raise AccountInvalid("that is no subject of a provider")
        await self._db.write(link, by, name, issuer, subject, self._db.now())

    async def set_active(self, by: By, name: str, active: bool) -> None:
        """Disable an account, with everything that it logs in with, or enable it again."""
        need_admin(by)
        await self._db.write(_set_active, by, name, active, self._db.now())

    async def delete(self, by: By, name: str) -> None:
        """Delete a user with their robots, tokens, sessions and rights."""
        need_admin(by)
        await self._db.write(_delete, by, name, self._db.now())

    async def get(self, name: str) -> Account:
        """An account. Raises AccountUnknown."""
        return await self._db.read(account, name)

    async def all(self, kind: str = USER, containing: str = "", after: str = "", limit: int = 1000) -> list[Account]:
        """Accounts of a kind, by name."""
        return await self._db.browse(accounts, kind, containing, after, limit)


def check_texts(title: str, email: str) -> None:
    """Raises AccountInvalid: a full name or an address that cannot be one."""
    for what, text in (("name", title), ("address", email)):
        if len(text) > _TEXT_LIMIT or not text.isprintable():
            raise AccountInvalid(f"the {what} is longer than {_TEXT_LIMIT} characters, or no plain text")
    if email and ("@" not in email or " " in email):
        raise AccountInvalid(f'"{email[:60]}" is no e-mail address')


def take_name(name: str) -> Script[None]:
    """See that a name is free for an account.

    Raises:
        AccountConflict: somebody has it, or had it and left repositories.
    """
    row = yield from first("SELECT id, kind FROM account WHERE name = ? FOR UPDATE", name)
    if row is None:
        return
    if row[1] != FORMER:
        raise AccountConflict(f"the name {name} is taken by {_article(row[1])}", "Choose another")
    if (yield from owns_repositories(name)):
        raise AccountConflict(
            f"the name {name} was somebody else's, whose repositories are still there",
            f"Move or delete the repositories in {name}/ first, or choose another name",
        )
    yield "DELETE FROM account WHERE id = ?", (row[0],)
    yield from vacate(name)


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] == "o" else f"a {kind}"


def insert(
    name: str, kind: str, password: str, must_change: bool, admin: bool, title: str, email: str, now: float
) -> Script[int]:
    """Write a new account. Raises AccountConflict: the name is taken."""
    yield from take_name(name)
    rows = yield (
        "INSERT INTO account (name, kind, password, must_change, admin, title, email, created)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING RETURNING id",
        (name, kind, password, int(must_change), int(admin), title, email, now),
    )
    if not rows:
        raise AccountConflict(f"the name {name} is taken")
    identity: int = rows[0][0]
    return identity


def _create(
    by: By, name: str, hashed: str, must_change: bool, title: str, email: str, admin: bool, now: float
) -> Script[Account]:
    yield from insert(name, USER, hashed, must_change, admin, title, email, now)
    yield from changed(by, "user.create", name, "admin" if admin else "", now)
    return (yield from account(name))


def store_password(by: By, name: str, hashed: str, must_change: bool, keep_session: str, now: float) -> Script[None]:
    """Write a user's password; what was logged in with the old one is out, except one session."""
    identity = yield from find(name, USER)
    yield (
        "UPDATE account SET password = ?, must_change = ? WHERE id = ?",
        (hashed, int(must_change), identity),
    )
    yield "DELETE FROM session WHERE account = ? AND id <> ?", (identity, keep_session)
    yield "DELETE FROM token WHERE account = ? AND kind = 'refresh'", (identity,)
    yield from changed(by, "user.password", name, "one-time" if must_change else "", now)


def store_rehashed(name: str, old: str, new: str) -> Script[None]:
    """Write the same password as another hash."""
    yield "UPDATE account SET password = ? WHERE name = ? AND password = ?", (new, name, old)
    yield from grow()


def _edit(by: By, name: str, title: str | None, email: str | None, now: float) -> Script[Account]:
    identity = yield from find(name)
    if title is not None:
        yield "UPDATE account SET title = ? WHERE id = ?", (title, identity)
    if email is not None:
        yield "UPDATE account SET email = ? WHERE id = ?", (email, identity)
    yield from changed(by, "account.edit", name, "", now)
    return (yield from account(name))


def _set_admin(by: By, name: str, admin: bool, now: float) -> Script[None]:
    identity = yield from find(name, USER)
    was = yield from _is_admin(identity)
    yield "UPDATE account SET admin = ? WHERE id = ?", (int(admin), identity)
    yield from _need_an_admin(was)
    yield from changed(by, "user.admin", name, "yes" if admin else "no", now)


def _set_active(by: By, name: str, active: bool, now: float) -> Script[None]:
    identity = yield from find(name)
    was = yield from _is_admin(identity)
    yield "UPDATE account SET active = ? WHERE id = ?", (int(active), identity)
    if not active:
        yield "DELETE FROM session WHERE account = ?", (identity,)
    yield from _need_an_admin(was)
    yield from changed(by, "account.enable" if active else "account.disable", name, "", now)


def _is_admin(identity: int) -> Script[bool]:
    return (yield from hits("SELECT 1 FROM account WHERE id = ? AND admin = 1 AND active = 1", identity))


def _need_an_admin(was: bool) -> Script[None]:
    """See that an admin is left after one may have gone. Raises AccountConflict."""
    if not was:
        return
    # Locked, so that two who take each other's rights away cannot both succeed.
    rows = yield "SELECT id FROM account WHERE admin = 1 AND active = 1 AND kind = 'user' ORDER BY id FOR UPDATE", ()
    if not rows:
        raise AccountConflict("this is the last admin", "Make somebody else an admin first")


def _delete(by: By, name: str, now: float) -> Script[None]:
    identity = yield from find(name, USER)
    was = yield from _is_admin(identity)
    yield from remove(identity, name)
    yield from _need_an_admin(was)
    yield from changed(by, "user.delete", name, "", now)


def remove(identity: int, name: str) -> Script[None]:
    """Remove an account with all that is its own; where its repositories stay, its name does."""
    robots = yield "SELECT id FROM account WHERE owner = ? AND kind = ?", (identity, ROBOT)
    for (robot,) in robots:
        yield from clear(robot)
        yield "DELETE FROM account WHERE id = ?", (robot,)
    yield from clear(identity)
    if (yield from owns_repositories(name)):
        yield (
            "UPDATE account SET kind = ?, active = 0, admin = 0, password = '', must_change = 0, title = '',"
            " email = '', issuer = '', subject = '' WHERE id = ?",
            (FORMER, identity),
        )
    else:
        yield "DELETE FROM account WHERE id = ?", (identity,)
        yield from vacate(name)


def clear(identity: int) -> Script[None]:
    """Remove what belongs to an account besides its row."""
    for table in ("token", "session", "membership", "team_member", "permission"):
        yield f"DELETE FROM {table} WHERE account = ?", (identity,)
