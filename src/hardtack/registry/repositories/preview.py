"""What a removal would free, before it happens, as scripts.

Counted are the bytes of blobs that nobody would need any more: no other manifest of the repository, no other
repository, no upload that claims them, nothing else that was deleted and can be brought back. That is what the
collector will have freed when the time for undeleting what is removed is over as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hardtack.registry.metadata.script import first, hits
from hardtack.registry.repositories.rows import Freed

if TYPE_CHECKING:
    from collections.abc import Collection

    from hardtack.registry.metadata.script import Script

NOTHING = Freed(0, 0, 0, 0)


def of_manifests(repository: str, digests: Collection[str]) -> Script[Freed]:
    """What deleting manifests together would free; those that the repository does not have free nothing."""
    home = yield from first("SELECT id FROM repository WHERE name = ?", repository)
    if home is None:
        return NOTHING
    gone = set()
    tags = 0
    for digest in sorted(set(digests)):
        if (yield from hits("SELECT 1 FROM manifest WHERE repository = ? AND digest = ?", home[0], digest)):
            gone.add(digest)
            rows = yield "SELECT count(*) FROM tag WHERE repository = ? AND digest = ?", (home[0], digest)
            tags += rows[0][0]
    children: set[str] = set()
    for digest in gone:
        rows = yield "SELECT child FROM edge WHERE repository = ? AND parent = ?", (home[0], digest)
        children.update(child for (child,) in rows)
    blobs = size = 0
    for child in children:
        bytes_freed = yield from freed(home[0], child, gone)
        if bytes_freed is not None:
            blobs += 1
            size += bytes_freed
    return Freed(tags, len(gone), blobs, size)


def freed(home: int, child: str, gone: Collection[str]) -> Script[int | None]:
    """The size of a blob that would go with some manifests of a repository; None when it would not go."""
    row = yield from first(
        "SELECT b.size FROM link l JOIN blob b ON b.digest = l.digest WHERE l.repository = ? AND l.digest = ?",
        home,
        child,
    )
    if row is None:
        return None
    # One more than could be among those that go is enough to see that somebody else is.
    parents = yield (
        "SELECT DISTINCT parent FROM edge WHERE repository = ? AND child = ? LIMIT ?",
        (home, child, len(gone) + 1),
    )
    if any(parent not in gone for (parent,) in parents):
        return None
    size: int = row[0]
    return None if (yield from hits(_WANTED, child, home, child, child)) else size


_WANTED = (
    "SELECT 1 FROM link WHERE digest = ? AND repository <> ?"
    " UNION ALL SELECT 1 FROM upload WHERE digest = ? AND digest <> '' AND finished = 0"
    " UNION ALL SELECT 1 FROM grave_need WHERE child = ? AND held = 1 LIMIT 1"
)


def of_repository(repository: str) -> Script[Freed]:
    """What deleting a repository would free, what was deleted in it before included."""
    home = yield from first("SELECT id FROM repository WHERE name = ?", repository)
    if home is None:
        return NOTHING
    rows = yield (
        "SELECT count(*), CAST(coalesce(sum(b.size), 0) AS BIGINT) FROM"
        " (SELECT l.digest AS digest FROM link l WHERE l.repository = ?"
        " UNION SELECT n.child FROM grave g JOIN grave_need n ON n.grave = g.id WHERE g.repository = ? AND n.held = 1)"
        " own JOIN blob b ON b.digest = own.digest"
        " WHERE NOT EXISTS (SELECT 1 FROM link o WHERE o.digest = b.digest AND o.repository <> ?)"
        " AND NOT EXISTS (SELECT 1 FROM upload u WHERE u.digest = b.digest AND u.digest <> '' AND u.finished = 0"
        " AND u.repository <> ?)"
        " AND NOT EXISTS (SELECT 1 FROM grave_need o JOIN grave h ON h.id = o.grave"
        " WHERE o.child = b.digest AND o.held = 1 AND h.repository <> ?)",
        (home[0], home[0], home[0], repository, home[0]),
    )
    counts = yield (
        "SELECT (SELECT count(*) FROM tag t WHERE t.repository = r.id),"
        " (SELECT count(*) FROM manifest m WHERE m.repository = r.id) FROM repository r WHERE r.id = ?",
        home,
    )
    return Freed(*counts[0], *rows[0])


class Collectable(NamedTuple):
    """What a round of the collector would take now; `size` is bytes of blobs."""

    uploads: int
    graves: int
    blobs: int
    size: int


def of_collection(now: float, grace: float, upload_life: float, undelete: float) -> Script[Collectable]:
    """What a round of the collector would take. Looks at every blob, so it is for somebody who asks, not for a page."""
    rows = yield (
        "SELECT (SELECT count(*) FROM upload WHERE touched < ? AND finished = 0),"
        " (SELECT count(*) FROM grave WHERE deleted < ?)",
        (now - upload_life, now - undelete),
    )
    uploads, graves = rows[0]
    idle = now - grace
    rows = yield (
        "SELECT count(*), CAST(coalesce(sum(b.size), 0) AS BIGINT) FROM blob b WHERE (b.idle IS NULL OR b.idle < ?)"
        " AND NOT EXISTS (SELECT 1 FROM link l JOIN repository r ON r.id = l.repository"
        " WHERE l.digest = b.digest AND r.name < '~' AND (l.idle IS NULL OR l.idle >= ? OR EXISTS"
        " (SELECT 1 FROM upload u WHERE u.repository = r.name AND u.finished = 0 AND u.touched >= ?)))"
        " AND NOT EXISTS (SELECT 1 FROM upload u WHERE u.digest = b.digest AND u.digest <> '' AND u.finished = 0"
        " AND u.touched >= ?)"
        " AND NOT EXISTS (SELECT 1 FROM grave_need n JOIN grave g ON g.id = n.grave"
        " WHERE n.child = b.digest AND n.held = 1 AND g.deleted >= ?)",
        (idle, idle, idle, now - upload_life, min(now - undelete, idle)),
    )
    return Collectable(uploads, graves, *rows[0])
