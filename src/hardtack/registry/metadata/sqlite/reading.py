"""The questions, as functions of a connection. The first are answered in the event loop, so each is a short query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.metadata.rows import (
    Referrer,
    RepositorySummary,
    StoredManifest,
    Tag,
    TagEvent,
    Totals,
    Upload,
)

if TYPE_CHECKING:
    import sqlite3

_BY_TAG = (
    "SELECT t.digest, m.media_type, c.body FROM repository r"
    " JOIN tag t ON t.repository = r.id AND t.name = ?"
    " JOIN manifest m ON m.repository = r.id AND m.digest = t.digest"
    " JOIN content c ON c.digest = t.digest WHERE r.name = ?"
)
_BY_DIGEST = (
    "SELECT m.digest, m.media_type, c.body FROM repository r"
    " JOIN manifest m ON m.repository = r.id AND m.digest = ?"
    " JOIN content c ON c.digest = m.digest WHERE r.name = ?"
)
_BLOB_SIZE = (
    "SELECT b.size FROM repository r JOIN link l ON l.repository = r.id AND l.digest = ?"
    " JOIN blob b ON b.digest = l.digest WHERE r.name = ?"
)


def manifest(db: sqlite3.Connection, repository: str, reference: str) -> StoredManifest | None:
    """The manifest behind a tag or a digest; only a digest has a colon."""
    row = db.execute(_BY_DIGEST if ":" in reference else _BY_TAG, (reference, repository)).fetchone()
    return None if row is None else StoredManifest._make(row)


def blob_size(db: sqlite3.Connection, repository: str, digest: str) -> int | None:
    """The size of a linked blob."""
    row = db.execute(_BLOB_SIZE, (digest, repository)).fetchone()
    return None if row is None else row[0]


def has_repository(db: sqlite3.Connection, repository: str) -> bool:
    """Whether it exists."""
    return db.execute("SELECT 1 FROM repository WHERE name = ?", (repository,)).fetchone() is not None


def upload(db: sqlite3.Connection, upload: str) -> Upload | None:
    """A session."""
    row = db.execute(
        "SELECT id, repository, who, started, touched, digest, finished FROM upload WHERE id = ?", (upload,)
    ).fetchone()
    return None if row is None else Upload._make((*row[:6], bool(row[6])))


def tag_names(db: sqlite3.Connection, repository: str, after: str, limit: int) -> list[str]:
    """Names of tags after one."""
    rows = db.execute(
        "SELECT t.name FROM repository r JOIN tag t ON t.repository = r.id"
        " WHERE r.name = ? AND t.name > ? ORDER BY t.name LIMIT ?",
        (repository, after, limit),
    )
    return [name for (name,) in rows]


_TAGS = (
    "SELECT t.name, t.digest, m.media_type, m.size, t.created, t.updated, t.updated_by FROM repository r"
    " JOIN tag t ON t.repository = r.id JOIN manifest m ON m.repository = r.id AND m.digest = t.digest"
    " WHERE r.name = ?"
)


def tags(db: sqlite3.Connection, repository: str, after: str, limit: int) -> list[Tag]:
    """Tags after one, with what they point at."""
    rows = db.execute(f"{_TAGS} AND t.name > ? ORDER BY t.name LIMIT ?", (repository, after, limit))
    return [Tag._make(row) for row in rows]


def latest_tags(
    db: sqlite3.Connection, repository: str, containing: str, before: tuple[float, str] | None, limit: int
) -> list[Tag]:
    """Tags changed last."""
    rows = db.execute(
        f"{_TAGS} AND t.name LIKE ? ESCAPE '\\' AND (? OR (t.updated, t.name) < (?, ?))"
        " ORDER BY t.updated DESC, t.name DESC LIMIT ?",
        (repository, f"%{_literal(containing)}%", before is None, *(before or (0.0, "")), limit),
    )
    return [Tag._make(row) for row in rows]


def tags_of(db: sqlite3.Connection, repository: str, digest: str, limit: int) -> list[str]:
    """Tags that point at a manifest."""
    rows = db.execute(
        "SELECT t.name FROM repository r JOIN tag t ON t.repository = r.id"
        " WHERE r.name = ? AND t.digest = ? ORDER BY t.name LIMIT ?",
        (repository, digest, limit),
    )
    return [name for (name,) in rows]


def tag_history(db: sqlite3.Connection, repository: str, tag: str, limit: int) -> list[TagEvent]:
    """What a tag pointed to, latest first."""
    rows = db.execute(
        "SELECT e.name, e.digest, e.moment, e.who FROM repository r JOIN tag_event e ON e.repository = r.id"
        " WHERE r.name = ? AND e.name = ? ORDER BY e.id DESC LIMIT ?",
        (repository, tag, limit),
    )
    return [TagEvent._make(row) for row in rows]


def repositories(db: sqlite3.Connection, after: str, limit: int) -> list[str]:
    """Names after one."""
    rows = db.execute("SELECT name FROM repository WHERE name > ? ORDER BY name LIMIT ?", (after, limit))
    return [name for (name,) in rows]


_SUMMARY = (
    "SELECT r.name,"
    " (SELECT count(*) FROM tag t WHERE t.repository = r.id),"
    " (SELECT count(*) FROM manifest m WHERE m.repository = r.id),"
    " (SELECT coalesce(sum(b.size), 0) FROM link l JOIN blob b ON b.digest = l.digest WHERE l.repository = r.id),"
    " r.created, r.updated FROM repository r"
)


def summaries(db: sqlite3.Connection, containing: str, after: str, limit: int) -> list[RepositorySummary]:
    """Repositories for a list of them."""
    rows = db.execute(
        f"{_SUMMARY} WHERE r.name LIKE ? ESCAPE '\\' AND r.name > ? ORDER BY r.name LIMIT ?",
        (f"%{_literal(containing)}%", after, limit),
    )
    return [RepositorySummary._make(row) for row in rows]


def summary(db: sqlite3.Connection, repository: str) -> RepositorySummary | None:
    """One repository."""
    row = db.execute(f"{_SUMMARY} WHERE r.name = ?", (repository,)).fetchone()
    return None if row is None else RepositorySummary._make(row)


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def totals(db: sqlite3.Connection) -> Totals:
    """What there is altogether."""
    row = db.execute(
        "SELECT (SELECT count(*) FROM repository), (SELECT count(*) FROM tag), count(*), coalesce(sum(size), 0)"
        " FROM blob"
    ).fetchone()
    return Totals._make(row)


def referrers(
    db: sqlite3.Connection, repository: str, subject: str, artifact_type: str, after: str, limit: int
) -> list[Referrer]:
    """Manifests with a subject."""
    rows = db.execute(
        "SELECT m.digest, m.media_type, m.size, m.artifact_type, m.annotations FROM repository r"
        " JOIN manifest m ON m.repository = r.id"
        " WHERE r.name = ? AND m.subject = ? AND m.subject <> '' AND m.digest > ? AND (? = '' OR m.artifact_type = ?)"
        " ORDER BY m.digest LIMIT ?",
        (repository, subject, after, artifact_type, artifact_type, limit),
    )
    return [Referrer._make(row) for row in rows]


def parents(db: sqlite3.Connection, repository: str, digest: str, limit: int) -> list[tuple[str, str]]:
    """Manifests that need a content."""
    return db.execute(
        "SELECT e.parent, e.kind FROM repository r JOIN edge e ON e.repository = r.id"
        " WHERE r.name = ? AND e.child = ? ORDER BY e.parent LIMIT ?",
        (repository, digest, limit),
    ).fetchall()


def linked_in(db: sqlite3.Connection, digest: str, after: str, limit: int) -> list[str]:
    """Repositories that link to a blob."""
    rows = db.execute(
        "SELECT r.name FROM link l JOIN repository r ON r.id = l.repository"
        " WHERE l.digest = ? AND r.name > ? ORDER BY r.name LIMIT ?",
        (digest, after, limit),
    )
    return [name for (name,) in rows]
