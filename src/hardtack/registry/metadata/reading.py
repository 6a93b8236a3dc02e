"""The questions that pulling, listing and the pages ask, as scripts. The first are asked for every pull."""

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
from hardtack.registry.metadata.script import first, hits

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script

_BY_TAG = (
    "SELECT t.digest, m.media_type, c.body, r.visibility FROM repository r"
    " JOIN tag t ON t.repository = r.id AND t.name = ?"
    " JOIN manifest m ON m.repository = r.id AND m.digest = t.digest"
    " JOIN content c ON c.digest = t.digest WHERE r.name = ? AND length(c.body) > 0"
)
_BY_DIGEST = (
    "SELECT m.digest, m.media_type, c.body, r.visibility FROM repository r"
    " JOIN manifest m ON m.repository = r.id AND m.digest = ?"
    " JOIN content c ON c.digest = m.digest WHERE r.name = ? AND length(c.body) > 0"
)
_BLOB_SIZE = (
    "SELECT b.size FROM repository r JOIN link l ON l.repository = r.id AND l.digest = ?"
    " JOIN blob b ON b.digest = l.digest WHERE r.name = ?"
    " AND NOT EXISTS (SELECT 1 FROM lost x WHERE x.digest = l.digest)"
)


def manifest(repository: str, reference: str) -> Script[StoredManifest | None]:
    """The manifest behind a tag or a digest; only a digest has a colon."""
    rows = yield _BY_DIGEST if ":" in reference else _BY_TAG, (reference, repository)
    return StoredManifest._make(rows[0]) if rows else None


def blob_size(repository: str, digest: str) -> Script[int | None]:
    """The size of a linked blob."""
    rows = yield _BLOB_SIZE, (digest, repository)
    return rows[0][0] if rows else None


def visibility(repository: str) -> Script[str]:
    """Who may see a repository; "" when it does not exist."""
    rows = yield "SELECT visibility FROM repository WHERE name = ?", (repository,)
    return rows[0][0] if rows else ""


def has_repository(repository: str) -> Script[bool]:
    """Whether it exists."""
    return (yield from hits("SELECT 1 FROM repository WHERE name = ?", repository))


def upload(upload: str) -> Script[Upload | None]:
    """A session."""
    row = yield from first(
        "SELECT id, repository, who, started, touched, digest, finished FROM upload WHERE id = ?", upload
    )
    return None if row is None else Upload._make((*row[:6], bool(row[6])))


def tag_names(repository: str, after: str, limit: int) -> Script[list[str]]:
    """Names of tags after one."""
    rows = yield (
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


def tags(repository: str, after: str, limit: int) -> Script[list[Tag]]:
    """Tags after one, with what they point at."""
    rows = yield f"{_TAGS} AND t.name > ? ORDER BY t.name LIMIT ?", (repository, after, limit)
    return [Tag._make(row) for row in rows]


def latest_tags(repository: str, containing: str, before: tuple[float, str] | None, limit: int) -> Script[list[Tag]]:
    """Tags changed last."""
    rows = yield (
        f"{_TAGS} AND lower(t.name) LIKE ? ESCAPE '\\' AND (t.updated, t.name) < (?, ?)"
        " ORDER BY t.updated DESC, t.name DESC LIMIT ?",
        (repository, f"%{literal(containing.lower())}%", *(before or (_NEVER, "")), limit),
    )
    return [Tag._make(row) for row in rows]


_NEVER = 1e18


def tags_of(repository: str, digest: str, limit: int) -> Script[list[str]]:
    """Tags that point at a manifest."""
    rows = yield (
        "SELECT t.name FROM repository r JOIN tag t ON t.repository = r.id"
        " WHERE r.name = ? AND t.digest = ? ORDER BY t.name LIMIT ?",
        (repository, digest, limit),
    )
    return [name for (name,) in rows]


def tag_history(repository: str, tag: str, limit: int) -> Script[list[TagEvent]]:
    """What a tag has pointed to, latest first."""
    rows = yield (
        "SELECT e.name, e.digest, e.moment, e.who FROM repository r JOIN tag_event e ON e.repository = r.id"
        " WHERE r.name = ? AND e.name = ? ORDER BY e.id DESC LIMIT ?",
        (repository, tag, limit),
    )
    return [TagEvent._make(row) for row in rows]


def repositories(after: str, limit: int) -> Script[list[tuple[str, str]]]:
    """Names after one, each with its visibility."""
    return (
        yield (
            "SELECT name, visibility FROM repository WHERE name > ? AND name < '~' ORDER BY name LIMIT ?",
            (after, limit),
        )
    )


_SUMMARY = (
    "SELECT r.name, r.visibility,"
    " (SELECT count(*) FROM tag t WHERE t.repository = r.id),"
    " (SELECT count(*) FROM manifest m WHERE m.repository = r.id),"
    " r.size, r.created, r.updated FROM repository r"
)


def summaries(containing: str, after: str, limit: int) -> Script[list[RepositorySummary]]:
    """Repositories for a list of them."""
    rows = yield (
        f"{_SUMMARY} WHERE r.name LIKE ? ESCAPE '\\' AND r.name > ? AND r.name < '~' ORDER BY r.name LIMIT ?",
        (f"%{literal(containing.lower())}%", after, limit),
    )
    return [RepositorySummary._make(row) for row in rows]


def summary(repository: str) -> Script[RepositorySummary | None]:
    """One repository."""
    row = yield from first(f"{_SUMMARY} WHERE r.name = ?", repository)
    return None if row is None else RepositorySummary._make(row)


def literal(text: str) -> str:
    """A text for LIKE that stands for itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def totals() -> Script[Totals]:
    """What there is altogether."""
    rows = yield (
        "SELECT (SELECT count(*) FROM repository WHERE name < '~'), (SELECT count(*) FROM tag), count(*),"
        " CAST(coalesce(sum(size), 0) AS BIGINT) FROM blob",
        (),
    )
    return Totals._make(rows[0])


def referrers(repository: str, subject: str, artifact_type: str, after: str, limit: int) -> Script[list[Referrer]]:
    """Manifests with a subject."""
    wanted = (" AND m.artifact_type = ?", (artifact_type,)) if artifact_type else ("", ())
    rows = yield (
        "SELECT m.digest, m.media_type, m.size, m.artifact_type, m.annotations FROM repository r"
        " JOIN manifest m ON m.repository = r.id"
        f" WHERE r.name = ? AND m.subject = ? AND m.subject <> '' AND m.digest > ?{wanted[0]}"
        " ORDER BY m.digest LIMIT ?",
        (repository, subject, after, *wanted[1], limit),
    )
    return [Referrer._make(row) for row in rows]


def parents(repository: str, digest: str, limit: int) -> Script[list[tuple[str, str]]]:
    """Manifests that need a content, with the kind of the need."""
    return (
        yield (
            "SELECT e.parent, e.kind FROM repository r JOIN edge e ON e.repository = r.id"
            " WHERE r.name = ? AND e.child = ? ORDER BY e.parent LIMIT ?",
            (repository, digest, limit),
        )
    )


def linked_in(digest: str, after: str, limit: int) -> Script[list[tuple[str, str]]]:
    """Names of repositories that link to a blob, each with its visibility."""
    return (
        yield (
            "SELECT r.name, r.visibility FROM link l JOIN repository r ON r.id = l.repository"
            " WHERE l.digest = ? AND r.name > ? AND r.name < '~' ORDER BY r.name LIMIT ?",
            (digest, after, limit),
        )
    )
