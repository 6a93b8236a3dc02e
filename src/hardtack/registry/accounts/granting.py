"""What a token of docker's flow is made good for: what was asked, and no more than is allowed.

Source: distribution, docs/spec/auth/token.md, "requested scopes".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.access import Action
from hardtack.registry.scopes import WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hardtack.registry.access import Caller
    from hardtack.registry.service import Service

_DECIDES = {"pull": (Action.PULL,), "push": (Action.PUSH,), "delete": (Action.DELETE, Action.TAG_DELETE)}


async def granted(service: Service, caller: Caller, asked: Mapping[str, set[str]]) -> dict[str, list[str]]:
    """Choose the actions that a caller may, of those that were asked for.

    Args:
        asked: docker's words by repository; `*` stands for all of them.
    Returns:
        The same shape. A repository of which nothing is granted stays, empty, to tell "no" from "not asked".
    """
    found = {}
    for repository, words in asked.items():
        wanted = WORDS if "*" in words else sorted(words)
        found[repository] = [word for word in wanted if await _may(service, caller, word, repository)]
    return found


async def _may(service: Service, caller: Caller, word: str, repository: str) -> bool:
    for action in _DECIDES[word]:
        if await service.permits(caller, action, repository):
            return True
    return False
