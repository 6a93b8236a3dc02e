"""The rule of access, and the names that an open registry on loopback answers to."""

from __future__ import annotations

import pytest

from hardtack.registry.access import EVERYBODY, Action, Caller, Grant, allowed, refusal
from hardtack.registry.errors import Denied, Unauthorized
from hardtack.registry.server.hosts import from_elsewhere, is_local


@pytest.mark.parametrize(
    ("pattern", "covered", "others"),
    [
        ("**", ["", "a", "a/b/c"], []),
        ("team/**", ["team/a", "team/a/b"], ["team", "teams/a", "other/team/a", ""]),
        ("team/*", ["team/a"], ["team/a/b", "team", "teams/a", ""]),
        ("team/a", ["team/a"], ["team/ab", "team/a/b", "", "team"]),
    ],
)
def test_what_a_pattern_covers(pattern: str, covered: list[str], others: list[str]) -> None:
    grant = Grant(pattern, frozenset())
    assert all(grant.covers(name) for name in covered)
    assert not any(grant.covers(name) for name in others)


def test_everybody_may_everything_and_nobody_nothing() -> None:
    for action in Action:
        for repository in ("", "a", "a/b"):
            assert allowed(EVERYBODY, action, repository)
            assert not allowed(Caller(), action, repository)


def test_each_action_is_granted_apart() -> None:
    for action in Action:
        caller = Caller("x", (Grant("a/*", frozenset((action,))),))
        assert [other for other in Action if allowed(caller, other, "a/b")] == [action]
        assert not allowed(caller, action, "b/a")


def test_strangers_are_asked_to_log_in_and_known_callers_are_refused() -> None:
    assert isinstance(refusal(Caller(), Action.PUSH, "a"), Unauthorized)
    assert isinstance(refusal(Caller("ada"), Action.PUSH, "a"), Denied)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:5000", "a.localhost", "127.0.0.1:80", "[::1]:5000", "::1", "10.0.0.1", "0.0.0.0:5000"],
)
def test_addresses_and_localhost_are_local(host: str) -> None:
    # A bare "::1" is no Host that a client sends; it is cut at the first colon, and what is left is no name.
    assert is_local(host) is (host != "::1")


@pytest.mark.parametrize(
    "host", ["", "evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "xlocalhost", "[evil]"]
)
def test_names_are_not_local(host: str) -> None:
    assert not is_local(host)


@pytest.mark.parametrize(
    ("origin", "site", "elsewhere"),
    [
        (None, None, False),
        ("http://here:5000", None, False),
        ("http://HERE:5000", None, False),
        ("http://there", None, True),
        ("null", None, True),
        (None, "same-origin", False),
        (None, "none", False),
        (None, "same-site", True),
        ("http://here:5000", "cross-site", True),
    ],
)
def test_a_browser_tells_where_a_request_comes_from(origin: str | None, site: str | None, elsewhere: bool) -> None:
    assert from_elsewhere(origin, site, "here:5000") is elsewhere
