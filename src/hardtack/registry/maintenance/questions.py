"""What a check asks the database, page by page, as scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hardtack.registry.metadata.script import first, hits

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script

_PAGE = 500
_NAMED = 4


class BlobRow(NamedTuple):
    """A blob as the database knows it.

    Attributes:
        idle: whether it is marked as one that nothing needs.
        needed: whether something does: 1 or 0.
        why: what it is marked as lost for, or None.
    """

    digest: str
    size: int
    idle: int
    needed: int
    why: str | None


_NEEDED = (
    "EXISTS (SELECT 1 FROM link l WHERE l.digest = b.digest)"
    " OR EXISTS (SELECT 1 FROM grave_need g WHERE g.child = b.digest AND g.held = 1)"
)
_BLOB = (
    "SELECT b.digest, b.size, CASE WHEN b.idle IS NULL THEN 0 ELSE 1 END,"
    f" CASE WHEN {_NEEDED} THEN 1 ELSE 0 END, x.why FROM blob b LEFT JOIN lost x ON x.digest = b.digest"
)


def blobs_after(digest: str, limit: int = _PAGE) -> Script[list[BlobRow]]:
    """Blobs after one."""
    rows = yield f"{_BLOB} WHERE b.digest > ? ORDER BY b.digest LIMIT ?", (digest, limit)
    return [BlobRow._make(row) for row in rows]


def blob(digest: str) -> Script[BlobRow | None]:
    """One blob."""
    row = yield from first(f"{_BLOB} WHERE b.digest = ?", digest)
    return None if row is None else BlobRow._make(row)


def is_linked(digest: str) -> Script[bool]:
    """Whether any repository links to a blob."""
    return (yield from hits("SELECT 1 FROM link WHERE digest = ? LIMIT 1", digest))


def needs_of(digest: str) -> Script[list[str]]:
    """Some of the references under which people know what needs a content."""
    rows = yield (
        "SELECT r.name, e.parent, (SELECT min(t.name) FROM tag t WHERE t.repository = r.id AND t.digest = e.parent)"
        " FROM edge e JOIN repository r ON r.id = e.repository WHERE e.child = ?"
        " AND e.repository IN (SELECT l.repository FROM link l WHERE l.digest = e.child) ORDER BY r.name LIMIT ?",
        (digest, _NAMED),
    )
    return [f"{name}:{tag}" if tag else f"{name}@{parent}" for name, parent, tag in rows]


def contents_after(digest: str) -> Script[list[tuple[str, bytes]]]:
    """Contents of manifests after one."""
    return (yield "SELECT digest, body FROM content WHERE digest > ? ORDER BY digest LIMIT ?", (digest, 16))


def homes_of(digest: str) -> Script[list[str]]:
    """Some of the references under which a manifest is known."""
    rows = yield (
        "SELECT r.name, (SELECT min(t.name) FROM tag t WHERE t.repository = r.id AND t.digest = m.digest)"
        " FROM manifest m JOIN repository r ON r.id = m.repository WHERE m.digest = ? ORDER BY r.name LIMIT ?",
        (digest, _NAMED),
    )
    return [f"{name}:{tag}" if tag else name for name, tag in rows]


def manifests_after(home: int, digest: str) -> Script[list[tuple[int, str, str]]]:
    """Repository, its name, and digest of manifests after one."""
    return (
        yield (
            "SELECT m.repository, r.name, m.digest FROM manifest m JOIN repository r ON r.id = m.repository"
            " WHERE (m.repository, m.digest) > (?, ?) ORDER BY m.repository, m.digest LIMIT ?",
            (home, digest, _PAGE),
        )
    )


class ManifestRow(NamedTuple):
    """A manifest as the database knows it."""

    media_type: str
    size: int
    artifact_type: str
    subject: str
    annotations: str
    body: bytes
    edges: frozenset[tuple[str, str]]


def manifest_row(home: int, digest: str) -> Script[ManifestRow | None]:
    """One manifest, with what it is noted to need."""
    row = yield from first(
        "SELECT m.media_type, m.size, m.artifact_type, m.subject, m.annotations, c.body FROM manifest m"
        " JOIN content c ON c.digest = m.digest WHERE m.repository = ? AND m.digest = ?",
        home,
        digest,
    )
    if row is None:
        return None
    edges = yield "SELECT child, kind FROM edge WHERE repository = ? AND parent = ?", (home, digest)
    return ManifestRow._make((*row[:5], bytes(row[5]), frozenset((child, kind) for child, kind in edges)))


def lacking(home: int, digests: tuple[str, ...]) -> Script[list[str]]:
    """Those of some blobs that a repository ought to link to and does not; one that caches fetches them when asked."""
    if (yield from hits("SELECT 1 FROM repository WHERE id = ? AND upstream <> ''", home)):
        return []
    missing = []
    for digest in digests:
        if not (yield from hits("SELECT 1 FROM link WHERE repository = ? AND digest = ?", home, digest)):
            missing.append(digest)
    return missing


def repositories_after(home: int) -> Script[list[tuple[int, str]]]:
    """Repositories after one, by number."""
    return (yield "SELECT id, name FROM repository WHERE id > ? ORDER BY id LIMIT ?", (home, _PAGE))


SIZE = (
    "(SELECT coalesce(sum(b.size), 0) FROM link l JOIN blob b ON b.digest = l.digest"
    " WHERE l.repository = repository.id)"
    " + (SELECT coalesce(sum(m.size), 0) FROM manifest m WHERE m.repository = repository.id)"
)


class Marks(NamedTuple):
    """What is wrong with the marks of a repository.

    Attributes:
        links: blobs whose link is marked as needed and is not, or the other way round.
        rowless: blobs that are linked to and that the database does not know.
        tags: those that point at nothing.
        size: as it is noted, and as it is.
    """

    links: list[str]
    rowless: list[str]
    tags: list[tuple[str, str]]
    size: tuple[int, int]


def marks(home: int) -> Script[Marks]:
    """The marks of a repository."""
    links = yield (
        "SELECT l.digest FROM link l WHERE l.repository = ? AND CASE WHEN l.idle IS NULL THEN 1 ELSE 0 END <>"
        " CASE WHEN EXISTS (SELECT 1 FROM edge e WHERE e.repository = l.repository AND e.child = l.digest)"
        " THEN 1 ELSE 0 END",
        (home,),
    )
    rowless = yield (
        "SELECT l.digest FROM link l LEFT JOIN blob b ON b.digest = l.digest"
        " WHERE l.repository = ? AND b.digest IS NULL",
        (home,),
    )
    tags = yield (
        "SELECT t.name, t.digest FROM tag t LEFT JOIN manifest m ON m.repository = t.repository AND m.digest = t.digest"
        " WHERE t.repository = ? AND m.digest IS NULL",
        (home,),
    )
    size = yield f"SELECT size, CAST({SIZE} AS BIGINT) FROM repository WHERE id = ?", (home,)
    return Marks([row[0] for row in links], [row[0] for row in rowless], tags, size[0] if size else (0, 0))


def sessions_after(upload: str, before: float) -> Script[list[str]]:
    """Unfinished sessions after one, by id, untouched since a moment."""
    rows = yield (
        "SELECT id FROM upload WHERE id > ? AND finished = 0 AND touched < ? ORDER BY id LIMIT ?",
        (upload, before, _PAGE),
    )
    return [row[0] for row in rows]
