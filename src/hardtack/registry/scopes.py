"""Docker's words for rights: `repository:team/app:pull,push` and `registry:catalog:*`, read and written.

`registry:mount:*` is ours: blobs of whatever repository the bearer may pull from may be mounted without naming it. A
client that follows the challenge asks for it; one that does not uploads the blob.

Docker knows three actions where we know six: pushing includes tags, deleting includes untagging. A scope is a bound, so
coarse words do no harm: what may really be done is asked again, with our own words, at every request.

Source: distribution, docs/spec/auth/scope.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hardtack.registry.access import Action, Claims
from hardtack.registry.names import is_repository

WORDS: dict[str, frozenset[Action]] = {
    "pull": frozenset((Action.PULL,)),
    "push": frozenset((Action.PUSH, Action.TAG_CREATE, Action.TAG_UPDATE)),
    "delete": frozenset((Action.DELETE, Action.TAG_DELETE)),
}
CATALOG, MOUNT = "registry:catalog:*", "registry:mount:*"
_WHOLE = {CATALOG: "catalog", MOUNT: "mount"}
_ACTIONS = frozenset((*WORDS, "*"))
_LIMIT = 20


def scope_of(action: Action, repository: str) -> str:
    """The scope that a client needs for an action; for pushing that of pulling as well, as clients expect."""
    if not repository:
        return ""
    word = next((word for word, actions in WORDS.items() if action in actions), "*")
    return f"repository:{repository}:{'pull,push' if word == 'push' else word}"


def parse_scopes(texts: Iterable[str]) -> tuple[dict[str, set[str]], set[str]]:
    """Read scopes as clients ask for them: several parameters, several in one, the same resource twice.

    Returns:
        Docker's words by repository, and what of the whole registry (catalog, mount). What we have no such thing of, a
        plugin or a name that cannot be, is passed over: it is granted to nobody.
    """
    repositories: dict[str, set[str]] = {}
    registry: set[str] = set()
    for scope in " ".join(texts).split()[:_LIMIT]:
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        if kind.partition("(")[0] == "repository" and is_repository(name):
            repositories.setdefault(name, set()).update(_ACTIONS.intersection(actions.split(",")))
        elif scope in _WHOLE:
            registry.add(_WHOLE[scope])
    return repositories, registry


def access_list(granted: Mapping[str, Iterable[str]], registry: Iterable[str]) -> list[dict[str, Any]]:
    """What was granted, as the claim `access` of a token has it."""
    found: list[dict[str, Any]] = [
        {"type": "repository", "name": name, "actions": sorted(actions)} for name, actions in granted.items()
    ]
    found += [{"type": "registry", "name": name, "actions": ["*"]} for name in sorted(registry)]
    return found


def read_access(access: object) -> Claims:
    """The claim `access`, which may come from an issuer that is not ours: what is not understood grants nothing."""
    repositories: dict[str, frozenset[Action]] = {}
    registry: set[str] = set()
    for entry in access if isinstance(access, list) else ():
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            continue
        name, actions = entry["name"], entry.get("actions")
        words = [word for word in actions if isinstance(word, str)] if isinstance(actions, list) else []
        if entry.get("type") == "repository":
            repositories[name] = repositories.get(name, frozenset()) | actions_of(words)
        elif entry.get("type") == "registry" and "*" in words:
            registry.add(name)
    return Claims(repositories, "catalog" in registry, "mount" in registry)


def actions_of(words: Iterable[str]) -> frozenset[Action]:
    """Our actions for docker's words; `*` stands for all of them, administering excepted."""
    found: frozenset[Action] = frozenset()
    for word in words:
        if word == "*":
            return found.union(*WORDS.values())
        found |= WORDS.get(word, frozenset())
    return found
