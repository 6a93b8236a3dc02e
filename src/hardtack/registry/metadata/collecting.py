"""The collector's steps, as scripts; each looks at an index of what is idle, and locks before it judges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.metadata.links import unlink
from hardtack.registry.metadata.script import Effect, hits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from hardtack.registry.metadata.script import Script

    RemoveBlobs = Callable[[Sequence[str]], Awaitable[None]]


def drop_uploads(before: float, limit: int) -> Script[list[str]]:
    """Forget old sessions; returns the unfinished ones, whose bytes are still there."""
    found = yield "SELECT id FROM upload WHERE touched < ? ORDER BY touched LIMIT ?", (before, limit)
    unfinished = []
    for (upload,) in found:
        rows = yield "DELETE FROM upload WHERE id = ? AND touched < ? RETURNING finished", (upload, before)
        if rows and not rows[0][0]:
            unfinished.append(upload)
    return unfinished


def drop_links(before: float, limit: int) -> Script[int]:
    """Unlink what no manifest needs, except where somebody is pushing. Blobs are idle since their last link was."""
    homes = yield (
        "SELECT DISTINCT r.id, r.name FROM"
        f" (SELECT l.repository FROM link l WHERE l.idle < ? AND NOT EXISTS ({_PUSHING}) ORDER BY l.idle LIMIT ?)"
        " i JOIN repository r ON r.id = i.repository ORDER BY r.id",
        (before, before, limit),
    )
    idle: list[tuple[str, int, float]] = []
    for home, name in homes:
        # Where somebody is at work there will be another time; all repositories are locked before any blob.
        locked = yield from hits("SELECT id FROM repository WHERE id = ? FOR UPDATE SKIP LOCKED", home)
        if not locked or (yield from hits(_PUSHED_TO, name, before)):
            continue
        rows = yield _IDLE, (home, before, limit - len(idle))
        idle += [(digest, home, since) for digest, since in rows]
        if len(idle) >= limit:
            break
    for digest, home, since in sorted(idle):
        yield from unlink(home, digest, since)
    return len(idle)


_IDLE = (
    "SELECT l.digest, l.idle FROM link l WHERE l.repository = ? AND l.idle < ?"
    " AND NOT EXISTS (SELECT 1 FROM edge e WHERE e.repository = l.repository AND e.child = l.digest)"
    " ORDER BY l.digest LIMIT ?"
)
_PUSHED_TO = "SELECT 1 FROM upload WHERE repository = ? AND finished = 0 AND touched >= ?"
_PUSHING = (
    "SELECT 1 FROM upload u JOIN repository o ON o.name = u.repository"
    " WHERE o.id = l.repository AND u.finished = 0 AND u.touched >= ?"
)


def drop_blobs(before: float, limit: int, remove: RemoveBlobs) -> Script[list[tuple[str, int]]]:
    """Forget blobs that nobody links to or claims; their bytes go before the transaction ends."""
    candidates = yield (
        f"SELECT b.digest, b.size FROM blob b WHERE b.idle < ? AND NOT EXISTS ({_CLAIMED}) ORDER BY b.idle, b.digest"
        " LIMIT ? FOR UPDATE SKIP LOCKED",
        (before, limit),
    )
    gone: list[tuple[str, int]] = []
    for digest, size in candidates:
        if not (yield from hits(_WANTED, digest, digest, digest)):
            yield "DELETE FROM blob WHERE digest = ?", (digest,)
            gone.append((digest, size))
    if gone:
        names = [digest for digest, _ in gone]
        yield Effect(lambda: remove(names))
    return gone


_CLAIMED = "SELECT 1 FROM upload u WHERE u.digest = b.digest AND u.digest <> '' AND u.finished = 0"
_WANTED = (
    "SELECT 1 FROM link WHERE digest = ?"
    " UNION ALL SELECT 1 FROM upload WHERE digest = ? AND digest <> '' AND finished = 0"
    " UNION ALL SELECT 1 FROM grave_need WHERE child = ? AND held = 1 LIMIT 1"
)


def drop_repositories(before: float, limit: int) -> Script[list[str]]:
    """Forget repositories without manifests, blobs and pushes, about which nothing was said either."""
    found = yield f"SELECT id, name FROM repository r WHERE r.updated < ? AND {_EMPTY} LIMIT ?", (before, limit)
    gone = []
    for home, name in found:
        yield "SELECT id FROM repository WHERE id = ? FOR UPDATE", (home,)
        still = f"SELECT 1 FROM repository r WHERE r.id = ? AND r.updated < ? AND {_EMPTY}"
        if not (yield from hits(still, home, before)):
            continue
        yield "DELETE FROM tag_event WHERE repository = ?", (home,)
        yield "DELETE FROM pulled WHERE repository = ?", (home,)
        yield "DELETE FROM repository WHERE id = ?", (home,)
        gone.append(name)
    return gone


_EMPTY = (
    "r.size = 0 AND r.explicit = 0 AND r.name < '~' AND r.summary = '' AND r.readme = '' AND r.immutable = ''"
    " AND r.retention = ''"
    " AND NOT EXISTS (SELECT 1 FROM manifest m WHERE m.repository = r.id)"
    " AND NOT EXISTS (SELECT 1 FROM link l WHERE l.repository = r.id)"
    " AND NOT EXISTS (SELECT 1 FROM grave g WHERE g.repository = r.id)"
    " AND NOT EXISTS (SELECT 1 FROM upload u WHERE u.repository = r.name AND u.finished = 0)"
)
