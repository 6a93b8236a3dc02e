"""Ways in which somebody could get more than was given to them, each tried: what must be refused, or go with a name."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import argon2
import pytest

from hardtack.registry.access import Action, Caller, Claims, allowed
from hardtack.registry.accounts import throttle
from hardtack.registry.accounts.accounts import Accounts
from hardtack.registry.accounts.changes import By
from hardtack.registry.accounts.errors import AccountConflict, AccountUnknown, TooManyFailures
from hardtack.registry.accounts.identities import adopt
from hardtack.registry.config.document import Config
from hardtack.registry.errors import Denied, Unauthorized
from hardtack.registry.events.webhooks import Webhooks
from hardtack.registry.metadata.database import Database
from hardtack.registry.metadata.sqlite.database import prepare
from hardtack.registry.repositories.store import Namespaces, Repositories
from support.accounts import SHELL, basic, grant

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script

PASSWORD = "correct horse"


@pytest.fixture
async def accounts(database: Database) -> AsyncIterator[Accounts]:
    """Accounts whose passwords cost nothing, with ada and bob."""
    made = Accounts(database, Config())
    made.passwords._hasher = argon2.PasswordHasher(1, 8, 1)
    for name in ("ada", "bob"):
        await made.users.create(SHELL, name, PASSWORD, must_change=False)
    yield made
    await made.close()


async def caller(accounts: Accounts, name: str) -> Caller:
    accounts.rights.ask_again()
    return await accounts.gate.identify(basic(name, PASSWORD), "10.0.0.1")


async def test_who_administers_one_repository_gives_rights_on_no_other(accounts: Accounts) -> None:
    for name in ("a", "any", "x"):
        await accounts.permissions.give(SHELL, "bob", grant(f"team/{name}", "admin"))
    bob = By.of(await caller(accounts, "bob"), "")
    for pattern in ("team/*", "team/**", "team/b"):
        with pytest.raises(Denied):
            await accounts.permissions.give(bob, "bob", grant(pattern, "admin"))


async def test_a_token_that_is_not_good_for_accounts_changes_none(accounts: Accounts) -> None:
    ada = await caller(accounts, "ada")
    await accounts.users.edit(By.of(ada, ""), "ada", None, "ada@example.org")
    scoped = replace(ada, scope=(grant("ada/app", "read"),))
    by_token = replace(ada, claims=Claims({"ada/app": frozenset({Action.PULL})}))
    for who in (scoped, by_token, replace(ada, must_change=True)):
        with pytest.raises(Denied):
            await accounts.users.edit(By.of(who, ""), "ada", None, "eve@example.org")
    assert (await accounts.users.get("ada")).email == "ada@example.org"


async def test_nothing_that_a_user_gave_away_reaches_into_what_the_next_of_that_name_has(
    accounts: Accounts, database: Database
) -> None:
    await accounts.organisations.create(SHELL, "acme", "ada")
    await accounts.teams.create(SHELL, "acme", "all")
    webhooks = Webhooks(database)
    for name in ("bob", "bobby"):
        for pattern in (f"{name}/**", f"{name}/*", f"{name}/app"):
            await accounts.permissions.give(SHELL, "ada", grant(pattern, "admin"))
        await accounts.permissions.give(SHELL, "acme/all", grant(f"{name}/**", "read"))
        await webhooks.create(f"{name}/**", "https://example.org/", name)
        await Namespaces(database).set_visibility(name, "public")
    await accounts.users.delete(SHELL, "bob")
    await accounts.users.create(SHELL, "bob", PASSWORD, must_change=False)
    ada = await caller(accounts, "ada")
    assert not allowed(ada, Action.PULL, "bob/app")
    assert allowed(ada, Action.ADMIN, "bobby/app"), "another name that only begins like it"
    assert [one.pattern for one in await accounts.permissions.of("acme/all")] == ["bobby/**"]
    assert [hook.pattern for hook in await webhooks.every()] == ["bobby/**"]
    assert (await Namespaces(database).get("bob")).visibility == ""


async def test_rights_on_what_a_deleted_user_left_end_when_somebody_else_gets_the_name(
    accounts: Accounts, database: Database
) -> None:
    await Repositories(database).create("bob/app", "bob")
    await accounts.permissions.give(SHELL, "ada", grant("bob/**", "write"))
    await accounts.users.delete(SHELL, "bob")
    assert allowed(await caller(accounts, "ada"), Action.PUSH, "bob/app"), "the work goes on"
    await Repositories(database).rename("bob/app", "ada/app", "ada")
    await accounts.users.create(SHELL, "bob", PASSWORD, must_change=False)
    assert not allowed(await caller(accounts, "ada"), Action.PUSH, "bob/app")


async def test_nobody_makes_repositories_theirs_by_what_a_provider_calls_them(
    accounts: Accounts, database: Database
) -> None:
    await Repositories(database).create("secret/plans", "root")
    with pytest.raises(AccountConflict, match="already"):
        await database.write(adopt, "secret", "https://provider.example", "1", "", 1.0)
    with pytest.raises(AccountUnknown):
        await accounts.users.get("secret")
    await database.write(adopt, "secret2", "https://provider.example", "1", "", 1.0)
    await accounts.users.create(SHELL, "secret", PASSWORD)  # an admin may give them away


def test_the_database_is_for_its_owner_alone_wherever_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    prepare(str(tmp_path / "registry.db"))
    assert stat.S_IMODE((tmp_path / "registry.db").stat().st_mode) == 0o600
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


async def test_a_token_with_a_scope_makes_nothing_that_outlives_it(accounts: Accounts) -> None:
    ada = replace(await caller(accounts, "ada"), scope=(grant("ada/**", "admin"),))
    with pytest.raises(Denied):
        await accounts.robots.create(By.of(ada, ""), "ada", "ci", (grant("ada/app", "write"),))
    with pytest.raises(Denied):
        await accounts.permissions.give(By.of(ada, ""), "bob", grant("ada/app", "write"))


async def test_a_login_with_the_old_password_while_it_is_changed_leaves_nothing(
    accounts: Accounts,
) -> None:
    proof = await accounts.gate.verify_password("ada", PASSWORD, "192.0.2.1")
    await accounts.sessions.begin("ada", "192.0.2.1", "password", proof.stamp)
    await accounts.tokens.refreshing("ada", "docker", proof.stamp)
    await accounts.users.set_password(SHELL, "ada", "another horse", must_change=False)
    with pytest.raises(Unauthorized):
        await accounts.sessions.begin("ada", "192.0.2.1", "password", proof.stamp)
    with pytest.raises(Unauthorized):
        await accounts.tokens.refreshing("ada", "docker", proof.stamp)
    assert await accounts.tokens.all("ada") == []


async def test_who_has_to_wait_fills_neither_the_table_of_failures_nor_the_log(
    accounts: Accounts, database: Database
) -> None:
    for number in range(30):
        with pytest.raises((Unauthorized, TooManyFailures)):
            await accounts.sessions.login(f"nobody{number}", PASSWORD, "192.0.2.1")
    assert await database.read(count, "failure WHERE who LIKE 'name %'") == throttle.ADDRESS.free
    assert await database.read(count, "audit WHERE action = 'login.failed'") == throttle.ADDRESS.free


def count(rows: str) -> Script[int]:
    found = yield f"SELECT count(*) FROM {rows}", ()
    return int(found[0][0])
