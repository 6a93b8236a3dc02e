"""Letting a tag point again at what its history says it has pointed to, as scripts, and which entries allow it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hardtack.registry.errors import NotBuried, RepositoryUnknown
from hardtack.registry.metadata.changes import NOWHERE, find, point
from hardtack.registry.metadata.events import happened
from hardtack.registry.metadata.script import first, hits
from hardtack.registry.repositories.restoring import restore

if TYPE_CHECKING:
    from collections.abc import Collection

    from hardtack.registry.metadata.script import Script


def point_again(
    repository: str, tag: str, digest: str, who: str, since: float, buried: bool, now: float
) -> Script[None]:
    """Let a tag point at a manifest that it has pointed to, which comes back first if it was deleted after a moment.

    Args:
        buried: bring back what was deleted; without it, that is an error.
    """
    home = yield from find(repository)
    if home == NOWHERE:
        raise RepositoryUnknown(repository)
    if not (
        yield from hits(
            "SELECT 1 FROM tag_event WHERE repository = ? AND name = ? AND digest = ? LIMIT 1", home, tag, digest
        )
    ):
        raise NotBuried(repository, f"tag {tag} with {digest}")
    if not (yield from hits("SELECT 1 FROM manifest WHERE repository = ? AND digest = ?", home, digest)):
        if not buried:
            raise NotBuried(repository, digest)
        yield from restore(repository, digest, who, since, now)
    if (yield from point(home, tag, digest, who, _anybody, now)):
        yield "UPDATE repository SET updated = ? WHERE id = ?", (now, home)
        yield from happened("tag", repository, tag, digest, "", 0, who, now)


def _anybody(tag: str, before: str | None) -> None:
    """The guard of a tag; rights were asked for before, and the rule of immutable tags is asked for with it."""


class Past(NamedTuple):
    """Of what tags have pointed to: digests that the repository has, and tags with digests that can be made again."""

    held: frozenset[str]
    returnable: frozenset[tuple[str, str]]


def past(repository: str, pairs: Collection[tuple[str, str]], since: float) -> Script[Past]:
    """What is left of tags with digests, and which `point_again` would make so that are not so already."""
    # Not by `find`, which locks: PostgreSQL locks nothing for who only reads.
    there = yield from first("SELECT id FROM repository WHERE name = ?", repository)
    home = NOWHERE if there is None else there[0]
    held: set[str] = set()
    buried: set[str] = set()
    for digest in sorted({digest for _, digest in pairs}):
        if (yield from hits("SELECT 1 FROM manifest WHERE repository = ? AND digest = ?", home, digest)):
            held.add(digest)
        elif (
            yield from hits(
                "SELECT 1 FROM grave WHERE repository = ? AND digest = ? AND deleted >= ?", home, digest, since
            )
        ):
            buried.add(digest)
    now: dict[str, str] = {}
    for tag in sorted({tag for tag, _ in pairs}):
        row = yield from first("SELECT digest FROM tag WHERE repository = ? AND name = ?", home, tag)
        now[tag] = "" if row is None else row[0]
    left = held | buried
    return Past(
        frozenset(held), frozenset((tag, digest) for tag, digest in pairs if digest in left and now[tag] != digest)
    )
