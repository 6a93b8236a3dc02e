"""Which part of all names a caller can see at most: ranges that an index answers, however many names lie outside.

Pure. It only narrows a search: whether a repository that is found there is shown is still said by `access.lists`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from hardtack.registry.access import Action, Visibility

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hardtack.registry.access import Caller, Grant

# In the order of bytes: "!" comes before all that names are made of, "0" follows "/", "~" comes after everything.
_END = "~"


class Span(NamedTuple):
    """The names from `first`, it included, to `end`, it not included."""

    first: str
    end: str


EVERYTHING = (Span("", _END),)


@dataclass(frozen=True, slots=True)
class Reach:
    """What somebody can see at most.

    Attributes:
        granted: where repositories of any visibility may be seen; in order, none touching another.
        shown: where those of `visibilities` may be.
    """

    granted: tuple[Span, ...]
    shown: tuple[Span, ...]
    visibilities: tuple[str, ...]


def reach(caller: Caller) -> Reach:
    """What a caller can pull from at most."""
    limit = EVERYTHING if caller.scope is None else _spans(caller.scope)
    if caller.claims is not None and not caller.claims.catalog:
        named = (_name(name) for name, actions in caller.claims.repositories.items() if Action.PULL in actions)
        limit = _common(limit, _joined(named))
    known = (Visibility.PUBLIC.value, Visibility.INTERNAL.value)
    return Reach(_common(_spans(caller.grants), limit), limit, known if caller.name else known[:1])


def _spans(grants: Iterable[Grant]) -> tuple[Span, ...]:
    return _joined(_span(grant.pattern) for grant in grants if Action.PULL in grant.actions)


def _span(pattern: str) -> Span:
    if pattern == "**":
        return EVERYTHING[0]
    for ending in ("/**", "/*"):
        if pattern.endswith(ending):
            base = pattern[: -len(ending)]
            return Span(f"{base}/", f"{base}0")
    return _name(pattern)


def _name(name: str) -> Span:
    return Span(name, f"{name}!")


def _joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans in order; those that touch are one."""
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.first <= joined[-1].end:
            joined[-1] = Span(joined[-1].first, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return tuple(joined)


def _common(some: tuple[Span, ...], others: tuple[Span, ...]) -> tuple[Span, ...]:
    """Where both are."""
    found = []
    ours = theirs = 0
    while ours < len(some) and theirs < len(others):
        one, other = some[ours], others[theirs]
        span = Span(max(one.first, other.first), min(one.end, other.end))
        if span.first < span.end:
            found.append(span)
        if one.end < other.end:
            ours += 1
        else:
            theirs += 1
    return tuple(found)
