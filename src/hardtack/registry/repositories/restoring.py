"""Bringing back what was deleted, as scripts: manifests with what they need, and tags.

With an index come the images in it that were deleted as well, with a subject what referred to it and was deleted with
it. Tags come back where their names are free; none is taken from what it points at now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.errors import NotBuried, RepositoryUnknown
from hardtack.registry.metadata.changes import NOWHERE, find, point
from hardtack.registry.metadata.events import happened
from hardtack.registry.metadata.graves import empty, find_grave
from hardtack.registry.metadata.quotas import within
from hardtack.registry.metadata.reviving import revive
from hardtack.registry.metadata.script import first, hits
from hardtack.registry.repositories.rows import Change, Restored

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script


def restore(repository: str, digest: str, who: str, since: float, now: float) -> Script[Restored]:
    """Bring a manifest back, which was deleted after a moment."""
    home = yield from _home(repository)
    return (yield from _restore(home, repository, digest, who, since, now))


def restore_tag(repository: str, tag: str, who: str, since: float, now: float) -> Script[Restored]:
    """Let a deleted tag point again at what it pointed at, which comes back as well if it was deleted."""
    home = yield from _home(repository)
    if (yield from hits("SELECT 1 FROM tag WHERE repository = ? AND name = ?", home, tag)):
        return Restored((), ())
    rows = yield (
        "SELECT digest, moment FROM tag_event WHERE repository = ? AND name = ? ORDER BY id DESC LIMIT 2",
        (home, tag),
    )
    if len(rows) < 2 or rows[0][0] or rows[0][1] < since:
        raise NotBuried(repository, f"tag {tag}")
    digest = rows[1][0]
    back = Restored((digest,), ())
    if not (yield from hits("SELECT 1 FROM manifest WHERE repository = ? AND digest = ?", home, digest)):
        back = yield from _restore(home, repository, digest, who, since, now)
    if tag in back.tags:
        return back
    yield from _point(home, repository, tag, digest, who, now)
    return Restored(back.digests, (*back.tags, tag))


def forget(repository: str, digest: str, now: float) -> Script[None]:
    """Make what was deleted impossible to bring back, and free what only it keeps."""
    home = yield from _home(repository)
    grave = yield from find_grave(home, digest)
    if grave is None:
        raise NotBuried(repository, digest)
    yield from empty(grave.id, now)


def history(repository: str, before: int, limit: int) -> Script[list[Change]]:
    """What became of the tags of a repository, latest first."""
    rows = yield (
        "SELECT e.id, e.name, e.digest, e.moment, e.who FROM tag_event e WHERE e.repository ="
        " (SELECT r.id FROM repository r WHERE r.name = ?) AND e.id < ? ORDER BY e.id DESC LIMIT ?",
        (repository, before, limit),
    )
    return [Change._make(row) for row in rows]


def _home(repository: str) -> Script[int]:
    home = yield from find(repository)
    if home == NOWHERE:
        raise RepositoryUnknown(repository)
    return home


def _restore(home: int, repository: str, digest: str, who: str, since: float, now: float) -> Script[Restored]:
    grave = yield from find_grave(home, digest)
    if grave is None or grave.deleted < since:
        raise NotBuried(repository, digest)
    before = yield from _size(home)
    digests: list[str] = []
    tags: list[str] = []
    waiting = [grave]
    while waiting:
        one = waiting.pop(0)
        if one.digest in digests:
            continue
        waiting += yield from revive(home, one, now)
        digests.append(one.digest)
        yield from happened("restore", repository, "", one.digest, one.media_type, one.size, who, now)
        for tag in one.tags:
            if not (yield from hits("SELECT 1 FROM tag WHERE repository = ? AND name = ?", home, tag)):
                yield from _point(home, repository, tag, one.digest, who, now)
                tags.append(tag)
    yield "UPDATE repository SET updated = ? WHERE id = ?", (now, home)
    yield from within(repository, (yield from _size(home)) - before)
    return Restored(tuple(digests), tuple(tags))


def _point(home: int, repository: str, tag: str, digest: str, who: str, now: float) -> Script[None]:
    yield from point(home, tag, digest, who, _let, now)
    yield from happened("tag", repository, tag, digest, "", 0, who, now)


def _let(tag: str, before: str | None) -> None:
    """The guard of a tag whose name is free."""


def _size(home: int) -> Script[int]:
    row = yield from first("SELECT size FROM repository WHERE id = ?", home)
    assert row is not None
    size: int = row[0]
    return size
