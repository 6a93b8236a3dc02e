"""Docker's words for rights, read and written; what a token is made for bounds what it does."""

from __future__ import annotations

import pytest

from hardtack.registry.access import ROLES, Action, Caller, Grant, allowed, lists, mounts
from hardtack.registry.scopes import access_list, parse_scopes, read_access, scope_of


@pytest.mark.parametrize(
    ("texts", "repositories", "registry"),
    [
        (["repository:a/b:pull,push"], {"a/b": {"pull", "push"}}, set()),
        (["repository:a:pull repository:b:push", "repository:a:push"], {"a": {"pull", "push"}, "b": {"push"}}, set()),
        (["registry:catalog:*", "registry:mount:*"], {}, {"catalog", "mount"}),
        (["registry:catalog:pull", "registry:other:*", "repository:A:pull", "nonsense", ""], {}, set()),
        (["repository(plugin):a:pull"], {"a": {"pull"}}, set()),
        (["repository:a:fly"], {"a": set()}, set()),
    ],
)
def test_scopes_are_read_as_clients_write_them(
    texts: list[str], repositories: dict[str, set[str]], registry: set[str]
) -> None:
    assert parse_scopes(texts) == (repositories, registry)


def test_a_claim_means_what_was_granted() -> None:
    claims = read_access(access_list({"a": ["pull", "push"], "b": []}, ["mount"]))
    assert claims.permit(Action.PUSH, "a")
    assert not claims.permit(Action.DELETE, "a")
    assert not claims.permit(Action.PULL, "b")
    assert (claims.catalog, claims.mounts) == (False, True)
    assert read_access([{"type": "registry", "name": "mount", "actions": ["pull"]}, 5, None]).mounts is False


def test_a_token_mounts_from_elsewhere_only_when_it_was_made_for_that() -> None:
    grants = (Grant("ada/**", ROLES["admin"]),)
    for registry, may in ((["mount"], True), (["catalog"], False), ([], False)):
        caller = Caller("ada", grants, None, read_access(access_list({"ada/new": ["push"]}, registry)))
        assert mounts(caller, "ada/old", "private") is may
        assert not mounts(caller, "bob/old", "private")
        assert not allowed(caller, Action.PULL, "ada/old")
        assert lists(caller, "ada/old", "private") is (registry == ["catalog"])


def test_a_personal_token_mounts_within_its_scope() -> None:
    caller = Caller("ada", (Grant("ada/**", ROLES["admin"]),), (Grant("ada/one", ROLES["write"]),))
    assert mounts(caller, "ada/one", "private")
    assert not mounts(caller, "ada/two", "private")


@pytest.mark.parametrize(
    ("action", "scope"),
    [
        (Action.PULL, "repository:a:pull"),
        (Action.PUSH, "repository:a:pull,push"),
        (Action.TAG_UPDATE, "repository:a:pull,push"),
        (Action.TAG_DELETE, "repository:a:delete"),
        (Action.ADMIN, "repository:a:*"),
    ],
)
def test_a_refusal_says_which_scope_would_do(action: Action, scope: str) -> None:
    assert scope_of(action, "a") == scope
    assert scope_of(action, "") == ""
