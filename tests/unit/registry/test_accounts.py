"""Accounts in the database: what is made, what it gives, what takes it away; every change is known and written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import argon2
import pytest

from hardtack.registry.access import Action, Caller, Grant, allowed
from hardtack.registry.accounts import personal, throttle, tokens
from hardtack.registry.accounts.accounts import Accounts
from hardtack.registry.accounts.changes import By, number
from hardtack.registry.accounts.errors import AccountConflict, AccountInvalid, AccountUnknown, TooManyFailures
from hardtack.registry.accounts.first import first_admin
from hardtack.registry.accounts.identities import find_identity
from hardtack.registry.accounts.standing import standing
from hardtack.registry.config.document import Config
from hardtack.registry.config.upstreams import Upstream
from hardtack.registry.errors import Denied, Unauthorized
from hardtack.registry.metadata.database import Database
from support.accounts import SHELL, basic, grant
from support.databases import Clock

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script

PASSWORD = "correct horse"


@pytest.fixture
async def accounts(database: Database) -> AsyncIterator[Accounts]:
    """Accounts whose passwords cost nothing. The number of rights is asked for every time."""
    made = Accounts(database, Config(upstream=(Upstream("hub", "https://hub.example"),)))
    made.passwords._hasher = argon2.PasswordHasher(1, 8, 1)
    made.rights._clock = _always_later().__next__
    yield made
    await made.close()


def _always_later() -> Iterator[float]:
    moment = 0.0
    while True:
        moment += 10.0
        yield moment


async def make(accounts: Accounts, *names: str) -> None:
    for name in names:
        await accounts.users.create(SHELL, name, PASSWORD, admin=name == "root", must_change=False)


async def caller(accounts: Accounts, name: str, secret: str = PASSWORD) -> Caller:
    return await accounts.gate.identify(basic(name, secret), "10.0.0.1")


async def may(accounts: Accounts, name: str, action: Action, repository: str, secret: str = PASSWORD) -> bool:
    return allowed(await caller(accounts, name, secret), action, repository)


async def by(accounts: Accounts, name: str) -> By:
    return By.of(await caller(accounts, name), "10.0.0.1")


def entries(action: str) -> Script[list[tuple[str, str, str]]]:
    rows = yield "SELECT who, target, detail FROM audit WHERE action = ? ORDER BY id", (action,)
    return [(row[0], row[1], row[2]) for row in rows]


async def test_a_user_administers_their_own_namespace_and_nothing_else(accounts: Accounts) -> None:
    await make(accounts, "ada", "adam", "root")
    for action in (Action.PUSH, Action.DELETE, Action.ADMIN):
        assert await may(accounts, "ada", action, "ada/app")
        for other in ("adam/app", "ada", "library/app", "", "x/ada/y"):
            assert not await may(accounts, "ada", action, other)
            assert await may(accounts, "root", action, other)
    assert await may(accounts, "ada", Action.ENTER, "")


async def test_organisations_teams_and_grants_add_to_that(accounts: Accounts) -> None:
    await make(accounts, "ada", "bob", "cyd")
    await accounts.organisations.create(SHELL, "acme", "ada")
    assert await may(accounts, "ada", Action.ADMIN, "acme/app")
    assert not await may(accounts, "bob", Action.PULL, "acme/app")
    owner = await by(accounts, "ada")
    await accounts.organisations.set_member(owner, "acme", "bob")
    assert await may(accounts, "bob", Action.PULL, "acme/app")
    assert not await may(accounts, "bob", Action.PUSH, "acme/app")
    await accounts.teams.create(owner, "acme", "dev")
    with pytest.raises(AccountConflict, match="no member"):
        await accounts.teams.add(owner, "acme", "dev", "cyd")
    await accounts.teams.add(owner, "acme", "dev", "bob")
    await accounts.permissions.give(owner, "acme/dev", grant("acme/app", "write"))
    assert await may(accounts, "bob", Action.PUSH, "acme/app")
    assert not await may(accounts, "bob", Action.PUSH, "acme/other")
    given = await accounts.permissions.give(owner, "cyd", grant("acme/**", "read"))
    assert await may(accounts, "cyd", Action.PULL, "acme/app")
    await accounts.permissions.take(owner, given.id)
    assert not await may(accounts, "cyd", Action.PULL, "acme/app")
    await accounts.organisations.remove_member(owner, "acme", "bob")
    assert not await may(accounts, "bob", Action.PULL, "acme/app"), "out of the organisation is out of its teams"
    assert (await accounts.teams.get("acme", "dev")).members == ()


async def test_a_grant_replaces_the_one_on_the_same_pattern(accounts: Accounts) -> None:
    await make(accounts, "ada")
    await accounts.permissions.give(SHELL, "ada", grant("x/**", "admin"))
    await accounts.permissions.give(SHELL, "ada", grant("x/**", "read"))
    assert [(each.pattern, each.rights) for each in await accounts.permissions.of("ada")] == [("x/**", "read")]
    assert not await may(accounts, "ada", Action.PUSH, "x/a")


async def test_rights_are_given_by_who_administers_the_pattern(accounts: Accounts) -> None:
    await make(accounts, "ada", "bob")
    ada, bob = await by(accounts, "ada"), await by(accounts, "bob")
    await accounts.permissions.give(ada, "bob", grant("ada/shared", "write"))
    for who, pattern in ((bob, "ada/shared"), (ada, "bob/**"), (ada, "**"), (ada, "ada"), (ada, "library/x")):
        with pytest.raises(Denied):
            await accounts.permissions.give(who, "bob", grant(pattern, "read"))
    (given,) = await accounts.permissions.of("bob")
    with pytest.raises(AccountUnknown) as refused:  # a number tells nobody which repositories there are
        await accounts.permissions.take(bob, given.id)
    assert "shared" not in str(refused.value)


async def test_administration_is_for_admins_and_owners(accounts: Accounts) -> None:
    await make(accounts, "ada", "bob", "root")
    await accounts.organisations.create(SHELL, "acme", "ada")
    bob = await by(accounts, "bob")
    refused = [
        accounts.users.create(bob, "eve", PASSWORD),
        accounts.users.set_password(bob, "ada", PASSWORD),
        accounts.users.set_admin(bob, "bob", True),
        accounts.users.set_active(bob, "ada", False),
        accounts.users.edit(bob, "ada", "x", None),
        accounts.users.link(bob, "bob", "https://x", "y"),
        accounts.users.delete(bob, "ada"),
        accounts.organisations.create(bob, "evil", "bob"),
        accounts.organisations.delete(bob, "acme"),
        accounts.organisations.set_member(bob, "acme", "bob", "owner"),
        accounts.organisations.remove_member(bob, "acme", "ada"),
        accounts.teams.create(bob, "acme", "x"),
        accounts.robots.create(bob, "acme", "x"),
        accounts.robots.create(bob, "bob", "x", (grant("acme/**", "read"),)),
        accounts.tokens.create(bob, "ada", "x"),
        accounts.sessions.end_all(bob, "ada"),
    ]
    for attempt in refused:
        with pytest.raises(Denied):
            await attempt
    root = await by(accounts, "root")
    await accounts.users.set_admin(root, "bob", True)
    await accounts.users.create(await by(accounts, "bob"), "eve", PASSWORD)


async def test_the_last_admin_and_the_last_owner_stay(accounts: Accounts) -> None:
    await make(accounts, "ada", "root")
    await accounts.organisations.create(SHELL, "acme", "ada")
    for attempt in (
        accounts.users.set_admin(SHELL, "root", False),
        accounts.users.set_active(SHELL, "root", False),
        accounts.users.delete(SHELL, "root"),
        accounts.organisations.set_member(SHELL, "acme", "ada", "member"),
        accounts.organisations.remove_member(SHELL, "acme", "ada"),
    ):
        with pytest.raises(AccountConflict):
            await attempt
    assert await may(accounts, "root", Action.ADMIN, "x")
    assert await may(accounts, "ada", Action.ADMIN, "acme/x")


async def test_a_deleted_user_s_name_is_nobody_s_while_repositories_have_it(
    accounts: Accounts, database: Database
) -> None:
    await make(accounts, "ada", "bob", "root")
    await accounts.robots.create(SHELL, "ada", "ci")
    await accounts.tokens.create(SHELL, "ada", "x")

    def repository(name: str) -> Script[None]:
        yield "INSERT INTO repository (name, created, updated) VALUES (?, ?, ?)", (name, 1.0, 1.0)

    await database.write(repository, "ada/app")
    await accounts.users.delete(SHELL, "ada")
    await accounts.users.delete(SHELL, "bob")
    for name in ("ada", "ada+ci"):
        with pytest.raises(AccountUnknown):
            await accounts.users.get(name)
    with pytest.raises(Unauthorized):
        await caller(accounts, "ada")
    assert [account.name for account in await accounts.users.all()] == ["root"]
    with pytest.raises(AccountConflict, match="somebody else's"):
        await make(accounts, "ada")
    await make(accounts, "bob")

    def gone() -> Script[None]:
        yield "DELETE FROM repository", ()

    await database.write(gone)
    await make(accounts, "ada")


async def test_names_are_given_once_and_some_never(accounts: Accounts) -> None:
    await make(accounts, "ada")
    await accounts.organisations.create(SHELL, "acme", "ada")
    for name in ("ada", "acme"):
        with pytest.raises(AccountConflict):
            await make(accounts, name)
        with pytest.raises(AccountConflict):
            await accounts.organisations.create(SHELL, name, "ada")
    with pytest.raises(AccountInvalid, match="prefix of an upstream"):
        await make(accounts, "hub")  # the prefix of an upstream


async def test_every_change_is_known_everywhere_and_written_down(accounts: Accounts, database: Database) -> None:
    await make(accounts, "ada", "bob")
    before = int(await database.read(number))
    await accounts.users.set_active(By("root", SHELL.caller, "10.1.1.1"), "ada", False)
    assert int(await database.read(number)) == before + 1
    with pytest.raises(AccountUnknown):
        await accounts.users.set_active(SHELL, "nobody", False)
    assert int(await database.read(number)) == before + 1
    assert await database.read(entries, "account.disable") == [("root", "ada", "")]
    everything = await database.read(everything_written)
    assert PASSWORD not in everything
    assert "argon2" not in everything


def everything_written() -> Script[str]:
    rows = yield "SELECT who, action, target, detail FROM audit", ()
    return repr(rows)


async def test_what_was_verified_ends_with_what_it_was_verified_by(accounts: Accounts) -> None:
    await make(accounts, "ada", "root")
    text, token = await accounts.tokens.create(SHELL, "ada", "x")
    assert (await caller(accounts, "ada", text)).name == "ada"
    await accounts.tokens.delete(SHELL, token.id)
    with pytest.raises(Unauthorized, match="revoked"):
        await caller(accounts, "ada", text)
    assert (await caller(accounts, "ada")).name == "ada"
    await accounts.users.set_password(SHELL, "ada", "another horse", must_change=False)
    with pytest.raises(Unauthorized, match="wrong"):
        await caller(accounts, "ada")
    assert (await caller(accounts, "ada", "another horse")).name == "ada"
    await accounts.users.set_active(SHELL, "ada", False)
    with pytest.raises(Unauthorized, match="disabled"):
        await caller(accounts, "ada", "another horse")


async def test_what_another_replica_revokes_is_refused_within_a_second(accounts: Accounts, database: Database) -> None:
    await make(accounts, "ada")
    accounts.rights._clock = time.monotonic
    text, token = await accounts.tokens.create(SHELL, "ada", "x")
    assert (await caller(accounts, "ada", text)).name == "ada"
    await Accounts(database, Config()).tokens.delete(SHELL, token.id)
    end = time.monotonic() + 1.0
    while True:
        try:
            await caller(accounts, "ada", text)
        except Unauthorized:
            break
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


async def test_a_one_time_password_stops_tokens_as_well(accounts: Accounts) -> None:
    await make(accounts, "ada")
    text, _ = await accounts.tokens.create(SHELL, "ada", "x")
    await accounts.users.set_password(SHELL, "ada", "given by an admin")
    for secret in (text, "given by an admin"):
        with pytest.raises(Unauthorized, match="only good for choosing another"):
            await caller(accounts, "ada", secret)


async def test_a_token_is_bound_by_its_scope_its_time_and_its_owner(accounts: Accounts, clock: Clock) -> None:
    await make(accounts, "ada", "bob")
    text, _ = await accounts.tokens.create(SHELL, "ada", "x", (grant("ada/a", "read"), grant("bob/**", "admin")), 100.0)
    assert await may(accounts, "ada", Action.PULL, "ada/a", text)
    for action, repository in ((Action.PUSH, "ada/a"), (Action.PULL, "ada/b"), (Action.PULL, "bob/a")):
        assert not await may(accounts, "ada", action, repository, text)
    with pytest.raises(Unauthorized, match="token of ada"):
        await caller(accounts, "bob", text)
    with pytest.raises(Denied):
        await accounts.tokens.create(By.of(await caller(accounts, "ada", text), ""), "ada", "wider")
    clock.now += 101
    with pytest.raises(Unauthorized, match="expired"):
        await caller(accounts, "ada", text)


async def test_the_id_of_a_token_is_not_its_secret(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    await make(accounts, "ada")
    _, token = await accounts.tokens.create(SHELL, "ada", "x")
    monkeypatch.setattr(tokens.secrets, "choice", lambda letters: letters[0])
    forged = tokens.make(tokens.PERSONAL)[0].replace("a" * 12, token.id)[:-6]
    forged += tokens._checksum(forged)
    parsed = tokens.parse(forged)
    assert parsed is not None
    assert parsed.id == token.id
    with pytest.raises(Unauthorized):
        await caller(accounts, "ada", forged)


async def test_a_token_is_stored_as_a_hash(accounts: Accounts, database: Database) -> None:
    await make(accounts, "ada")
    text, _ = await accounts.tokens.create(SHELL, "ada", "x")

    def rows() -> Script[str]:
        return repr((yield "SELECT * FROM token", ()))

    stored = await database.read(rows)
    assert text.rpartition("_")[2][:20] not in stored


async def test_a_robot_may_what_it_was_granted(accounts: Accounts) -> None:
    await make(accounts, "ada", "root")
    await accounts.organisations.create(SHELL, "acme", "ada")
    owner = await by(accounts, "ada")
    secret, robot = await accounts.robots.create(owner, "acme", "ci", (grant("acme/app", "write"),))
    assert robot.name == "acme+ci"
    assert await may(accounts, "acme+ci", Action.PUSH, "acme/app", secret)
    assert not await may(accounts, "acme+ci", Action.PULL, "acme/other", secret)
    with pytest.raises(Unauthorized):
        await caller(accounts, "acme+ci", "some password")
    fresh = await accounts.robots.rotate(owner, "acme+ci")
    with pytest.raises(Unauthorized):
        await caller(accounts, "acme+ci", secret)
    assert await may(accounts, "acme+ci", Action.PUSH, "acme/app", fresh)
    await accounts.users.set_active(SHELL, "acme", False)
    with pytest.raises(Unauthorized, match="disabled"):
        await caller(accounts, "acme+ci", fresh)
    await accounts.users.set_active(SHELL, "acme", True)
    await accounts.robots.delete(owner, "acme+ci")
    with pytest.raises(Unauthorized):
        await caller(accounts, "acme+ci", fresh)
    assert await accounts.robots.all("acme") == []


async def test_an_organisation_goes_with_its_teams_and_robots(accounts: Accounts) -> None:
    await make(accounts, "ada", "root")
    await accounts.organisations.create(SHELL, "acme", "ada")
    await accounts.teams.create(SHELL, "acme", "dev")
    await accounts.teams.add(SHELL, "acme", "dev", "ada")
    await accounts.permissions.give(SHELL, "acme/dev", grant("x/**", "write"))
    await accounts.robots.create(SHELL, "acme", "ci", (grant("x/**", "write"),))
    assert await may(accounts, "ada", Action.PUSH, "x/a")
    await accounts.organisations.delete(SHELL, "acme")
    assert not await may(accounts, "ada", Action.PUSH, "x/a")
    assert not await may(accounts, "ada", Action.PULL, "acme/a")
    assert await accounts.permissions.all() == []
    await make(accounts, "acme")


async def test_the_first_start_makes_one_admin(accounts: Accounts, database: Database) -> None:
    password = await first_admin(database, accounts.passwords)
    assert password
    assert await first_admin(database, accounts.passwords) == ""
    found = await database.read(standing, "admin")
    assert found is not None
    assert found.must_change
    with pytest.raises(Unauthorized, match="only good for choosing another"):
        await caller(accounts, "admin", password)
    session = await accounts.sessions.login("admin", password, "10.0.0.1")
    assert session.caller.must_change
    assert not session.caller.admin
    assert not allowed(session.caller, Action.ENTER)
    await accounts.sessions.change_password(session, password, "my own choice", "10.0.0.1")
    assert (await caller(accounts, "admin", "my own choice")).admin
    again = await accounts.sessions.session(session.cookie)
    assert again is not None
    assert again.caller.admin


async def test_guessing_gets_slower_and_a_user_is_not_kept_out(accounts: Accounts, clock: Clock) -> None:
    await make(accounts, "ada")
    assert (await caller(accounts, "ada")).name == "ada"  # from 10.0.0.1
    guess = accounts.gate.verify_password
    for turn in range(5):
        with pytest.raises(Unauthorized):
            await guess("ada", f"guess {turn}", f"10.9.0.{turn}")
    for address in ("10.9.0.99", "10.9.0.1"):
        with pytest.raises(TooManyFailures) as slowed:
            await guess("ada", PASSWORD, address)
        assert 0 < slowed.value.wait <= 1
    assert (await guess("ada", PASSWORD, "10.0.0.1")).account == "ada", "known here"
    clock.now += 1.1
    with pytest.raises(Unauthorized):
        await guess("ada", "guess 6", "10.9.0.7")
    with pytest.raises(TooManyFailures) as slowed:
        await guess("ada", "guess 7", "10.9.0.7")
    assert 1 < slowed.value.wait <= 2


async def test_an_address_that_guesses_many_names_is_slowed_down(accounts: Accounts, clock: Clock) -> None:
    await make(accounts, "ada")
    guess = accounts.gate.verify_password
    for turn in range(throttle.ADDRESS.free):
        with pytest.raises(Unauthorized):
            await guess(f"user{turn}", "some guess", "10.9.0.1")
        if turn % 5 == 0:  # an own account does not wash the address clean
            await guess("ada", PASSWORD, "10.9.0.1")
    with pytest.raises(TooManyFailures):
        await guess("user99", "some guess", "10.9.0.1")
    text, _ = await accounts.tokens.create(SHELL, "ada", "x")
    assert (await accounts.gate.identify(basic("ada", text), "10.9.0.1")).name == "ada", "tokens are never slowed down"
    clock.now += throttle.FORGET + 1
    with pytest.raises(Unauthorized):
        await guess("user99", "some guess", "10.9.0.1")


async def test_sessions_end(accounts: Accounts, clock: Clock) -> None:
    await make(accounts, "ada", "root")
    login = accounts.sessions.login
    for end in ("idle", "age", "logout", "everywhere", "password", "disabled"):
        session = await login("ada", PASSWORD, "10.0.0.1")
        found = await accounts.sessions.session(session.cookie)
        assert found is not None
        assert found.csrf == session.csrf
        if end == "idle":
            clock.now += 12 * 3600 + 1
        elif end == "age":
            for _ in range(29):
                clock.now += 11.9 * 3600
                await accounts.sessions.session(session.cookie)
        elif end == "logout":
            await accounts.sessions.logout(session.cookie)
        elif end == "everywhere":
            await accounts.sessions.end_all(SHELL, "ada")
        elif end == "password":
            await accounts.users.set_password(SHELL, "ada", "another horse")
            await accounts.users.set_password(SHELL, "ada", PASSWORD, must_change=False)
        else:
            await accounts.users.set_active(SHELL, "ada", False)
        assert await accounts.sessions.session(session.cookie) is None, end
    assert await accounts.sessions.session("x" * 43) is None


async def test_a_session_s_cookie_is_stored_as_a_hash(accounts: Accounts, database: Database) -> None:
    await make(accounts, "ada")
    session = await accounts.sessions.login("ada", PASSWORD, "10.0.0.1")

    def rows() -> Script[str]:
        return repr((yield "SELECT * FROM session", ()))

    assert session.cookie not in await database.read(rows)


async def test_changing_a_password_needs_the_old_one_and_ends_other_sessions(accounts: Accounts) -> None:
    await make(accounts, "ada")
    here = await accounts.sessions.login("ada", PASSWORD, "10.0.0.1")
    there = await accounts.sessions.login("ada", PASSWORD, "10.0.0.2")
    with pytest.raises(Unauthorized):
        await accounts.sessions.change_password(here, "not this", "my own choice", "10.0.0.1")
    for bad in ("short", PASSWORD, "ada-ada-ada"):
        with pytest.raises(AccountInvalid):
            await accounts.sessions.change_password(here, PASSWORD, bad, "10.0.0.1")
    await accounts.sessions.change_password(here, PASSWORD, "my own choice", "10.0.0.1")
    assert await accounts.sessions.session(here.cookie) is not None
    assert await accounts.sessions.session(there.cookie) is None


async def test_logins_are_written_down(accounts: Accounts, database: Database) -> None:
    await make(accounts, "ada")
    await accounts.sessions.login("ada", PASSWORD, "10.0.0.1")
    with pytest.raises(Unauthorized):
        await accounts.sessions.login("ada", "not this one", "10.0.0.1")
    assert await database.read(entries, "login") == [("ada", "ada", "password")]
    assert await database.read(entries, "login.failed") == [("", "ada", "Unauthorized")]


async def test_use_is_noted_and_what_is_over_is_forgotten(accounts: Accounts, database: Database, clock: Clock) -> None:
    await make(accounts, "ada")
    text, token = await accounts.tokens.create(SHELL, "ada", "x")
    await caller(accounts, "ada", text)
    proof = await accounts.gate.verify_password("ada", PASSWORD, "10.0.0.1")
    kept = await accounts.tokens.refreshing("ada", "docker", proof.stamp)
    await accounts.look_after()
    assert (await accounts.tokens.get(token.id)).used == clock.now
    assert (await accounts.users.get("ada")).seen == clock.now
    clock.now += personal.REFRESH_LIFE - 10
    await accounts.gate.verify_token(kept, ("refresh",))
    (refresh,) = [each.id for each in await accounts.tokens.all("ada") if each.kind == "refresh"]
    accounts.gate.used[refresh] = clock.now
    await accounts.look_after()
    clock.now += 20
    await accounts.look_after()
    assert len(await accounts.tokens.all("ada")) == 2, "used in time"
    clock.now += personal.REFRESH_LIFE
    await accounts.look_after()
    assert [each.kind for each in await accounts.tokens.all("ada")] == ["personal"]


async def test_docker_s_own_secrets_are_not_hoarded(accounts: Accounts, clock: Clock) -> None:
    await make(accounts, "ada")
    proof = await accounts.gate.verify_password("ada", PASSWORD, "10.0.0.1")
    for turn in range(60):
        clock.now += 1
        await accounts.tokens.refreshing("ada", f"client {turn}", proof.stamp)
    names = [each.name for each in await accounts.tokens.all("ada")]
    assert len(names) == 50
    assert "client 59" in names
    assert "client 0" not in names


async def test_a_password_hashed_with_other_parameters_is_hashed_anew(accounts: Accounts, database: Database) -> None:
    await make(accounts, "ada")
    accounts.passwords._hasher = argon2.PasswordHasher(2, 16, 1)
    before = await database.read(standing, "ada")
    assert (await caller(accounts, "ada")).name == "ada"
    after = await database.read(standing, "ada")
    assert before is not None
    assert after is not None
    assert "m=8" in before.password
    assert "m=16" in after.password
    assert (await caller(accounts, "ada")).name == "ada"


async def test_an_identity_belongs_to_one_account(accounts: Accounts, database: Database) -> None:
    await make(accounts, "ada", "bob")
    await accounts.users.link(SHELL, "ada", "https://login.example", "42")
    assert await database.read(find_identity, "https://login.example", "42") == "ada"
    assert await database.read(find_identity, "https://other.example", "42") == ""
    assert await database.read(find_identity, "https://login.example", "") == ""
    with pytest.raises(AccountConflict):
        await accounts.users.link(SHELL, "bob", "https://login.example", "42")
    await accounts.users.link(SHELL, "ada", "https://login.example", "")
    await accounts.users.link(SHELL, "bob", "https://login.example", "42")


async def test_unknown_things_are_said_to_be_unknown(accounts: Accounts) -> None:
    await make(accounts, "ada")
    everything = Grant("x/**", frozenset({Action.PULL}))
    for attempt in (
        accounts.users.get("nobody"),
        accounts.organisations.members("ada"),
        accounts.organisations.create(SHELL, "acme", "nobody"),
        accounts.teams.all("nobody"),
        accounts.permissions.give(SHELL, "nobody", everything),
        accounts.permissions.give(SHELL, "nobody/team", everything),
        accounts.permissions.take(SHELL, 999),
        accounts.tokens.delete(SHELL, "nothing"),
        accounts.tokens.create(SHELL, "nobody", "x"),
        accounts.robots.delete(SHELL, "ada+nothing"),
        accounts.robots.rotate(SHELL, "ada+nothing"),
    ):
        with pytest.raises(AccountUnknown):
            await attempt
