"""What a page is: who may see it, what it shows, and the forms on it. One table per topic is made of these.

The guard runs before a page is shown and before any of its forms is done, so that a right is asked for in one place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from hardtack.registry.web.visit import Visit


class Missing(Exception):
    """There is nothing at this address, as far as the visitor may know."""


class LoginNeeded(Exception):
    """The page is for those who have logged in."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A page to be rendered."""

    template: str
    values: dict[str, Any] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True)
class Done:
    """Where to go after something was done.

    Attributes:
        where: a path of ours, decoded.
        notice: what to say there, a word of `notices.NOTICES`.
    """

    where: str
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A page.

    Attributes:
        guard: raises Missing or LoginNeeded for those who are not to see it.
        forms: by the word that their button sends as `do`. Each is done by somebody who has logged in.
    """

    show: Callable[[Visit], Awaitable[Shown | Done]]
    guard: Callable[[Visit], Awaitable[None]]
    forms: Mapping[str, Callable[[Visit], Awaitable[Shown | Done]]] = field(default_factory=dict)
