"""Names, patterns, rights, secrets, passwords, delays and scopes: the rules of accounts, apart from any database."""

from __future__ import annotations

import itertools

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardtack.registry.access import MAINTAIN, READ, WRITE, Action, Caller, Claims, Grant, allowed, lists, refusal
from hardtack.registry.accounts import throttle, tokens
from hardtack.registry.accounts.changes import administers, is_admin, is_self
from hardtack.registry.accounts.errors import AccountInvalid, TooManyFailures
from hardtack.registry.accounts.http import local_path
from hardtack.registry.accounts.names import check_account, check_pattern, is_login, is_within
from hardtack.registry.accounts.passwords import Passwords, check_password, generate_password
from hardtack.registry.accounts.words import read_rights, stored, unstored, write_rights
from hardtack.registry.errors import Denied, Unauthorized
from hardtack.registry.names import is_repository
from hardtack.registry.scopes import access_list, parse_scopes, read_access, scope_of


@pytest.mark.parametrize("name", ["a", "ada", "john.doe", "a-b", "a__b", "x1", "a" * 64])
def test_names_that_an_account_may_have(name: str) -> None:
    assert check_account(name) == name
    assert is_repository(f"{name}/app")


@pytest.mark.parametrize(
    "name",
    [
        *("", "Ada", "a b", "a/b", "a+b", "a:b", "-a", "a-", "a..b", "a" * 65, "ä", "a\n", "a\0", "v2", "token"),
        *("admin/x", "library", "api", "login", "anonymous", "upstream"),
    ],
)
def test_names_that_no_account_gets(name: str) -> None:
    with pytest.raises(AccountInvalid):
        check_account(name, frozenset({"upstream"}))


def test_robots_log_in_with_both_names() -> None:
    assert is_login("team+ci")
    assert not any(map(is_login, ("team+", "+ci", "team+ci+x", "team+CI", "", "a\0")))


@pytest.mark.parametrize("pattern", ["**", "a", "a/b", "a/*", "a/**", "a/b/**"])
def test_what_is_a_pattern(pattern: str) -> None:
    assert check_pattern(pattern) == pattern


@pytest.mark.parametrize("pattern", ["", "*", "/**", "a/*/b", "a*", "A/**", "a/***", "a//b", "v2/**", "**/a", "a/**/*"])
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(AccountInvalid):
        check_pattern(pattern)


NAMES = ["/".join(parts) for depth in (1, 2, 3) for parts in itertools.product(("a", "b", "ab"), repeat=depth)]
PATTERNS = ["**", *NAMES, *(f"{name}/*" for name in NAMES), *(f"{name}/**" for name in NAMES)]


def test_what_is_within_a_pattern_is_covered_by_it() -> None:
    deep = [*NAMES, *(f"{name}/a" for name in NAMES), *(f"{name}/b/a" for name in NAMES)]
    covered = {pattern: {name for name in deep if Grant(pattern, READ).covers(name)} for pattern in PATTERNS}
    for inner in PATTERNS:
        for outer in PATTERNS:
            if is_within(inner, outer):
                assert covered[inner] <= covered[outer], (inner, outer)
            else:
                assert inner not in ("**", outer) or outer != "**"
                assert "*" in inner or inner not in covered[outer], (inner, outer)


@pytest.mark.parametrize(
    ("inner", "outer", "within"),
    [
        ("a/**", "**", True),
        ("**", "a/**", False),
        ("a/b/**", "a/**", True),
        ("a/*", "a/**", True),
        ("a/**", "a/*", False),
        ("a/b", "a/*", True),
        ("a/b/c", "a/*", False),
        ("a/b/*", "a/*", False),
        ("a/*", "a/a", False),
        ("a/**", "a/a", False),
        ("a", "a/**", False),
        ("ab/**", "a/**", False),
        ("a/*", "a/a", False),
        ("a/*", "a/any", False),
        ("a/*", "a/*", True),
    ],
)
def test_patterns_within_patterns(inner: str, outer: str, within: bool) -> None:
    assert is_within(inner, outer) is within


def test_rights_are_roles_or_actions() -> None:
    assert read_rights("write") == WRITE
    assert read_rights("pull, tag-delete") == {Action.PULL, Action.TAG_DELETE}
    assert read_rights("read,delete") == {Action.PULL, Action.DELETE}
    assert [write_rights(read_rights(word)) for word in ("read", "write", "maintain", "admin")] == [
        *("read", "write", "maintain", "admin")
    ]
    assert write_rights(read_rights("delete,pull")) == "pull,delete"
    for wrong in ("", "everything", "pull;push", "enter"):
        with pytest.raises(AccountInvalid):
            read_rights(wrong)


@given(st.sets(st.sampled_from([action for action in Action if action is not Action.ENTER])))
def test_rights_come_back_from_the_database(actions: set[Action]) -> None:
    assert unstored(stored(actions)) == actions
    assert unstored(stored(actions) + ",fly") == actions


@given(st.sampled_from(["personal", "robot", "refresh"]))
def test_a_secret_is_read_back_and_a_mistyped_one_is_not(kind: str) -> None:
    text, secret = tokens.make(kind)
    assert tokens.parse(text) == secret
    assert tokens.seems(text)
    assert secret.hash not in text
    for place in range(len("tack_pat_"), len(text)):
        other = "b" if text[place] == "a" else "a"
        assert tokens.parse(text[:place] + other + text[place + 1 :]) is None, place
    for wrong in (text[:-1], f"{text}a", text.upper(), f" {text}", f"{text}\n", text.replace("_", "-")):
        assert tokens.parse(wrong) is None


@given(st.text())
def test_no_text_is_a_secret_by_chance(text: str) -> None:
    assert tokens.parse(text) is None
    assert tokens.parse(f"tack_pat_{text}") is None


@pytest.mark.parametrize(
    "password",
    ["short", "x" * 257, "aaaaaaaaaa", "ada12345", "ada-ada-ada", "Ada_2024", "with\nnewline", "tack_pat_abcdef"],
)
def test_passwords_that_are_refused(password: str) -> None:
    with pytest.raises(AccountInvalid):
        check_password("ada", password)


@pytest.mark.parametrize(
    "password", ["correct horse", "adam's apple tree", "pässwörter", "12345abc", "kr78d-6c5mw-s3k7k-w8zuq"]
)
def test_passwords_that_are_accepted(password: str) -> None:
    assert check_password("ada", password) == password


def test_a_password_that_is_made_up_is_accepted() -> None:
    assert check_password("ada", generate_password())


async def test_passwords_are_argon2id_and_compared_as_such() -> None:
    passwords = Passwords()
    try:
        stored_one = await passwords.hash("correct horse")
        assert stored_one.startswith("$argon2id$")
        assert "correct" not in stored_one
        assert await passwords.verify(stored_one, "correct horse")
        for wrong in ("", "correct hors", "x" * 100_000):
            assert not await passwords.verify(stored_one, wrong)
            assert not await passwords.verify("", wrong)
        assert not await passwords.verify("not a hash", "correct horse")
        assert not passwords.is_outdated(stored_one)
        assert passwords.is_outdated(argon2.PasswordHasher(1, 8, 1).hash("x"))
    finally:
        passwords.close()


async def test_too_many_passwords_at_once_are_refused() -> None:
    passwords = Passwords(argon2.PasswordHasher(1, 8, 1))
    try:
        passwords._waiting = 64
        with pytest.raises(TooManyFailures):
            await passwords.hash("correct horse")
    finally:
        passwords.close()


def test_delays_double_and_end() -> None:
    assert [throttle.delay(count, throttle.NAME) for count in (0, 4, 5, 6, 7, 8, 9, 10, 10_000)] == [
        *(0, 0, 1, 2, 4, 8, 16, 30, 30)
    ]
    assert throttle.delay(19, throttle.ADDRESS) == 0
    assert throttle.delay(10_000, throttle.ADDRESS) == 900


@given(st.integers(0, 10**6), st.floats(0, 2e9), st.floats(0, 2e9))
def test_nobody_waits_longer_than_the_rule_says_even_when_clocks_jump(count: int, latest: float, now: float) -> None:
    for rule in (throttle.NAME, throttle.ADDRESS):
        assert 0 <= throttle.wait(count, latest, now, rule) <= rule.most + 1e-6


def test_an_ipv6_user_has_a_network_and_not_an_address() -> None:
    assert throttle.place("2001:db8:1:2:3:4:5:6") == throttle.place("2001:db8:1:2::1") == "2001:db8:1:2::"
    assert throttle.place("::ffff:10.0.0.1") == throttle.place("10.0.0.1") == "10.0.0.1"
    assert throttle.place("unknown") == "unknown"


def test_scopes_are_read_as_clients_write_them() -> None:
    repositories, registry = parse_scopes(
        ["repository:a/b:pull repository:a/b:push", "repository:c:*", "registry:catalog:*", "repository(plugin):d:pull"]
    )
    assert repositories == {"a/b": {"pull", "push"}, "c": {"*"}, "d": {"pull"}}
    assert "catalog" in registry
    assert scope_of(Action.TAG_UPDATE, "a/b") == "repository:a/b:pull,push"
    assert scope_of(Action.TAG_DELETE, "a/b") == "repository:a/b:delete"
    assert scope_of(Action.ENTER, "") == ""


@given(st.lists(st.text(), max_size=5))
def test_any_scope_is_harmless(texts: list[str]) -> None:
    repositories, _ = parse_scopes(texts)
    assert all(map(is_repository, repositories))


@given(
    st.recursive(
        st.none() | st.booleans() | st.text() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["type", "name", "actions", "x"]), inner),
    )
)
def test_any_access_claim_is_harmless(claim: object) -> None:
    claims = read_access(claim)
    assert all(isinstance(name, str) for name in claims.repositories)
    assert not claims.permit(Action.ADMIN, "a")


def test_claims_bound_and_are_bounded() -> None:
    claims = read_access(access_list({"a/b": ["pull", "push"], "c": []}, ()))
    caller = Caller("ada", (Grant("a/**", MAINTAIN),), claims=claims)
    assert allowed(caller, Action.PUSH, "a/b")
    assert not allowed(caller, Action.DELETE, "a/b"), "was not asked for"
    assert not allowed(caller, Action.PULL, "a/c"), "was not asked for"
    assert not allowed(Caller("ada", (), claims=claims), Action.PUSH, "a/b"), "is not granted any more"
    assert allowed(caller, Action.ENTER, "") is False, "the gate grants that"
    assert not lists(caller, "a/c", "")
    assert lists(Caller("ada", (Grant("a/**", READ),), claims=Claims({}, catalog=True)), "a/c", "")


def test_who_could_get_another_token_is_told_so() -> None:
    claims = Claims({"a/b": frozenset({Action.PULL}), "x/denied": frozenset()})
    caller = Caller("ada", (Grant("a/**", MAINTAIN),), claims=claims)
    for action, repository in ((Action.PUSH, "a/b"), (Action.PULL, "a/c"), (Action.PULL, "x/other")):
        error = refusal(caller, action, repository)
        assert isinstance(error, Unauthorized)
        assert error.problem == "insufficient_scope"
    for action, repository in ((Action.PULL, "x/denied"), (Action.PUSH, "x/other")):
        assert isinstance(refusal(caller, action, repository), Denied)


def test_administering_needs_a_credential_that_is_good_for_it() -> None:
    everything = (Grant("**", frozenset(Action)),)
    admin = Caller("root", everything, admin=True)
    assert is_admin(admin)
    assert administers(admin, "**")
    assert is_self(admin, "root")
    for bounded in (
        Caller("root", everything, scope=(Grant("a/**", READ),), admin=True),
        Caller("root", everything, scope=(Grant("a/**", frozenset(Action)),), admin=True),
        Caller("root", everything, claims=Claims({}), admin=True),
        Caller("root", (), admin=False, must_change=True),
    ):
        assert not is_admin(bounded)
        assert not administers(bounded, "a/**")
        assert not is_self(bounded, "root")
    owner = Caller("ada", (Grant("ada/**", frozenset(Action)), Grant("team/*", frozenset(Action))))
    assert administers(owner, "ada/x/**")
    assert administers(owner, "team/x")
    assert not administers(owner, "team/**")
    assert not administers(owner, "**")
    assert not is_self(Caller(""), "")


@pytest.mark.parametrize(
    "text", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:x", "", "/a\nb"]
)
def test_a_login_leads_to_no_other_site(text: str) -> None:
    assert local_path(text) == "/"


def test_a_login_leads_back_to_where_one_was() -> None:
    assert local_path("/a/b:v1?x=1") == "/a/b:v1?x=1"
