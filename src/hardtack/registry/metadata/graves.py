"""Deleted manifests that can be brought back, as scripts: buried, restored, and forgotten when their time is over.

A buried manifest gives access to nothing: its row, its tags and its links are gone. Only its bytes and the blobs that
its repository had for it are kept from the collector. Restoring gives the repository back what it had and nothing else.
The repository's row is locked by whoever calls; blobs are locked before it is judged whether they are idle.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from hardtack.registry.metadata.script import first, hits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hardtack.registry.metadata.script import Script

_COLUMNS = "digest, media_type, size, artifact_type, subject, annotations, pushed, pushed_by"


class Grave(NamedTuple):
    """A deleted manifest; tags are those that pointed at it."""

    id: int
    digest: str
    media_type: str
    size: int
    artifact_type: str
    subject: str
    annotations: str
    pushed: float
    pushed_by: str
    tags: tuple[str, ...]
    deleted: float
    deleted_by: str


_GRAVE = f"SELECT id, {_COLUMNS}, tags, deleted, deleted_by FROM grave"


def _grave(row: tuple[Any, ...]) -> Grave:
    return Grave._make((*row[:9], tuple(json.loads(row[9])), *row[10:]))


def bury(home: int, digest: str, tags: Sequence[str], who: str, now: float) -> Script[None]:
    """Keep a manifest that is about to be deleted, before any of its links go."""
    row = yield from first(f"SELECT {_COLUMNS} FROM manifest WHERE repository = ? AND digest = ?", home, digest)
    assert row is not None
    rows = yield (
        f"INSERT INTO grave (repository, {_COLUMNS}, tags, deleted, deleted_by)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (home, *row, json.dumps(list(tags)), now, who),
    )
    yield (
        "INSERT INTO grave_need (grave, child, kind, held) SELECT g.id, e.child, e.kind,"
        " CASE WHEN l.digest IS NULL THEN 0 ELSE 1 END FROM grave g"
        " JOIN edge e ON e.repository = g.repository AND e.parent = g.digest"
        " LEFT JOIN link l ON l.repository = e.repository AND l.digest = e.child WHERE g.id = ?",
        (rows[0][0],),
    )


def find_grave(home: int, digest: str) -> Script[Grave | None]:
    """The grave of a manifest."""
    row = yield from first(f"{_GRAVE} WHERE repository = ? AND digest = ?", home, digest)
    return None if row is None else _grave(row)


def graves_of_referrers(home: int, subject: str, since: float) -> Script[list[Grave]]:
    """Buried manifests that refer to one, deleted when it was or after."""
    rows = yield (
        f"{_GRAVE} WHERE repository = ? AND subject = ? AND subject <> '' AND deleted >= ? ORDER BY digest",
        (home, subject, since),
    )
    return [_grave(row) for row in rows]


def graves(repository: str, before: tuple[float, int] | None, limit: int) -> Script[list[Grave]]:
    """What of a repository can be brought back, deleted last first."""
    rows = yield (
        f"{_GRAVE} WHERE repository = (SELECT r.id FROM repository r WHERE r.name = ?)"
        " AND (deleted, id) < (?, ?) ORDER BY deleted DESC, id DESC LIMIT ?",
        (repository, *(before or (1e18, 0)), limit),
    )
    return [_grave(row) for row in rows]


def needs(grave: int) -> Script[list[tuple[str, str, int]]]:
    """What a buried manifest needs: digest, kind, and whether its repository had it as a blob."""
    return (yield "SELECT child, kind, held FROM grave_need WHERE grave = ? ORDER BY child", (grave,))


def empty(grave: int, idle: float) -> Script[None]:
    """Take a grave away; blobs that nobody needs any more are idle since the given moment."""
    held = yield "DELETE FROM grave_need WHERE grave = ? RETURNING child, held", (grave,)
    rows = yield "DELETE FROM grave WHERE id = ? RETURNING digest", (grave,)
    for child in sorted({child for child, had in held if had}):
        yield from rest(child, idle)
    for (digest,) in rows:
        yield from drop_content(digest)


def rest(digest: str, idle: float) -> Script[None]:
    """Note since when a blob is idle, if no repository links to it and no grave needs it."""
    # Two may let go of it at once: only with its row locked is it certain what the other one did.
    if (yield from hits("SELECT 1 FROM blob WHERE digest = ? FOR UPDATE", digest)):
        yield (
            "UPDATE blob SET idle = ? WHERE digest = ?"
            " AND NOT EXISTS (SELECT 1 FROM link WHERE link.digest = blob.digest)"
            " AND NOT EXISTS (SELECT 1 FROM grave_need n WHERE n.child = blob.digest AND n.held = 1)",
            (idle, digest),
        )


def drop_content(digest: str) -> Script[None]:
    """Forget the bytes of a manifest that no repository has any more."""
    yield "SELECT 1 FROM content WHERE digest = ? FOR UPDATE", (digest,)
    yield (
        "DELETE FROM content WHERE digest = ?"
        " AND NOT EXISTS (SELECT 1 FROM manifest WHERE manifest.digest = content.digest)"
        " AND NOT EXISTS (SELECT 1 FROM grave WHERE grave.digest = content.digest)",
        (digest,),
    )


def drop_graves(before: float, limit: int) -> Script[int]:
    """Forget what was deleted before a moment. Of one repository at a time, whose row is locked."""
    row = yield from first("SELECT repository FROM grave WHERE deleted < ? ORDER BY deleted LIMIT 1", before)
    if row is None:
        return 0
    home = row[0]
    yield "SELECT id FROM repository WHERE id = ? FOR UPDATE", (home,)
    old = yield (
        "SELECT id, deleted, digest, tags FROM grave WHERE repository = ? AND deleted < ? ORDER BY deleted, id LIMIT ?",
        (home, before, limit),
    )
    for grave, deleted, digest, tags in old:
        yield from empty(grave, deleted)
        yield from forget_pulls(home, digest, json.loads(tags))
    return len(old)


def forget_pulls(home: int, digest: str, tags: Sequence[str]) -> Script[None]:
    """Forget how often a manifest and its tags were pulled, as far as they are gone."""
    yield (
        "DELETE FROM pulled WHERE repository = ? AND subject = ? AND NOT EXISTS"
        " (SELECT 1 FROM manifest m WHERE m.repository = pulled.repository AND m.digest = pulled.subject)",
        (home, digest),
    )
    for tag in tags:
        yield (
            "DELETE FROM pulled WHERE repository = ? AND subject = ? AND NOT EXISTS"
            " (SELECT 1 FROM tag t WHERE t.repository = pulled.repository AND t.name = pulled.subject)",
            (home, tag),
        )
