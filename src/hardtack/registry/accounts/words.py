"""Rights in people's words: `read`, `write`, `maintain`, `admin`, or single actions with commas between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.access import ROLES, Action
from hardtack.registry.accounts.errors import AccountInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable

ACTIONS = {action.name.lower().replace("_", "-"): action for action in Action if action is not Action.ENTER}
"""pull, push, tag-create, tag-update, tag-delete, delete, admin."""


def read_rights(text: str) -> frozenset[Action]:
    """The actions that a text names, by roles, by themselves, or both.

    Raises:
        AccountInvalid: none, or a word that is neither.
    """
    found: frozenset[Action] = frozenset()
    for word in filter(None, (word.strip() for word in text.split(","))):
        if word in ROLES:
            found |= ROLES[word]
        elif word in ACTIONS:
            found |= {ACTIONS[word]}
        else:
            raise AccountInvalid(f'"{word[:40]}" is no right: {", ".join(ROLES)}, or {", ".join(ACTIONS)}')
    if not found:
        raise AccountInvalid(f"no right is named: {', '.join(ROLES)}, or {', '.join(ACTIONS)}")
    return found


def write_rights(actions: Iterable[Action]) -> str:
    """The same in the other direction: a role's name where it is one."""
    wanted = frozenset(actions)
    for role, meant in ROLES.items():
        if meant == wanted:
            return role
    return ",".join(word for word, action in ACTIONS.items() if action in wanted)


def stored(actions: Iterable[Action]) -> str:
    """Actions as the database has them: never by a role's name, whose meaning may grow."""
    wanted = frozenset(actions)
    return ",".join(word for word, action in ACTIONS.items() if action in wanted)


def unstored(text: str) -> frozenset[Action]:
    """Actions from the database; what a newer program wrote and this one does not know is not granted."""
    return frozenset(ACTIONS[word] for word in text.split(",") if word in ACTIONS)
