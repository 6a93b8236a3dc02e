"""Making a buried manifest one of its repository again, as scripts; the repository's row is locked by whoever calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.metadata.graves import empty, find_grave, graves_of_referrers, needs
from hardtack.registry.metadata.links import link, need

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hardtack.registry.metadata.graves import Grave
    from hardtack.registry.metadata.script import Script

RULES = "rule:retention"
"""Whose name the history has for what goes by rules of retention; no account can have it."""


def revive(home: int, grave: Grave, now: float) -> Script[list[Grave]]:
    """Give a repository a manifest back, and the blobs that it had for it.

    Returns:
        The graves of what belongs to it: images of an index, and what refers to it and was deleted with it.
    """
    details = grave[1:9]
    yield (
        "INSERT INTO manifest (digest, media_type, size, artifact_type, subject, annotations, pushed, pushed_by,"
        " repository) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*details, home),
    )
    yield "UPDATE repository SET size = size + ? WHERE id = ?", (grave.size, home)
    found = []
    for child, kind, held in (yield from needs(grave.id)):
        yield from need(home, grave.digest, child, kind)
        if held:
            yield from link(home, child, now)
        if kind == "manifest" and (other := (yield from find_grave(home, child))) is not None:
            found.append(other)
    found += yield from graves_of_referrers(home, grave.digest, grave.deleted)
    yield from empty(grave.id, now)
    return found


def revive_parts(home: int, children: Iterable[str], now: float) -> Script[None]:
    """Take back what rules of retention took from under a push: images of an index that is pushed at this moment.

    Its client asked for them, was told that they are there, and does not push them. What somebody deleted stays so.
    """
    for child in children:
        grave = yield from find_grave(home, child)
        if grave is not None and grave.deleted_by == RULES:
            belonging = yield from revive(home, grave, now)
            yield from revive_parts(home, [other.digest for other in belonging], now)
