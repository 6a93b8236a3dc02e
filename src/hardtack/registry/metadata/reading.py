"""The questions that pulling, listing and the pages ask, as scripts. The first are asked for every pull.

Lists name their repository by `_HOME`, whose value is known before the list is begun: so an index gives the rows in
their order, and a page costs what is on it. Joined with `repository`, PostgreSQL would read and sort all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.metadata.rows import (
    Referrer,
    StoredManifest,
    Tag,
    TagEvent,
    Totals,
    Upload,
)
from hardtack.registry.metadata.script import first, hits

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script

_HOME = "(SELECT r.id FROM repository r WHERE r.name = ?)"
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


def is_idle(repository: str, digest: str, before: float) -> Script[bool]:
    """Whether a blob is linked, and has been needed by nothing there since before a moment."""
    sql = f"SELECT 1 FROM link l WHERE l.repository = {_HOME} AND l.digest = ? AND l.idle < ?"
    return (yield from hits(sql, repository, digest, before))


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
        f"SELECT t.name FROM tag t WHERE t.repository = {_HOME} AND t.name > ? ORDER BY t.name LIMIT ?",
        (repository, after, limit),
    )
    return [name for (name,) in rows]


def tags(repository: str, after: str, limit: int) -> Script[list[Tag]]:
    """Tags after one, with what they point at."""
    rows = yield _tags("t.name > ?", "t.name"), (repository, after, limit)
    return [Tag._make(row) for row in rows]


def latest_tags(repository: str, containing: str, before: tuple[float, str] | None, limit: int) -> Script[list[Tag]]:
    """Tags changed last."""
    rows = yield (
        _tags("lower(t.name) LIKE ? ESCAPE '\\' AND (t.updated, t.name) < (?, ?)", "t.updated DESC, t.name DESC"),
        (repository, f"%{literal(containing.lower())}%", *(before or (_NEVER, "")), limit),
    )
    return [Tag._make(row) for row in rows]


def _tags(which: str, order: str) -> str:
    """A page of tags; it is cut before anything is joined, since every tag has a manifest."""
    page = f"SELECT t.* FROM tag t WHERE t.repository = {_HOME} AND {which} ORDER BY {order} LIMIT ?"
    return (
        f"SELECT t.name, t.digest, m.media_type, m.size, t.created, t.updated, t.updated_by FROM ({page}) t"
        f" JOIN manifest m ON m.repository = t.repository AND m.digest = t.digest ORDER BY {order}"
    )


_NEVER = 1e18


def tags_of(repository: str, digest: str, limit: int) -> Script[list[str]]:
    """Tags that point at a manifest."""
    rows = yield (
        f"SELECT t.name FROM tag t WHERE t.repository = {_HOME} AND t.digest = ? ORDER BY t.name LIMIT ?",
        (repository, digest, limit),
    )
    return [name for (name,) in rows]


def tag_history(repository: str, tag: str, limit: int) -> Script[list[TagEvent]]:
    """What a tag has pointed to, latest first."""
    rows = yield (
        "SELECT e.name, e.digest, e.moment, e.who FROM tag_event e"
        f" WHERE e.repository = {_HOME} AND e.name = ? ORDER BY e.id DESC LIMIT ?",
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


def literal(text: str) -> str:
    """A text for LIKE that stands for itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


COUNTED = 1_000_000
"""Of each kind at most so many are counted: a page does not wait for a billion rows."""


def totals() -> Script[Totals]:
    """What there is altogether, as far as it is counted."""
    rows = yield (
        f"SELECT (SELECT count(*) FROM (SELECT 1 FROM repository WHERE name < '~' LIMIT {COUNTED}) r),"
        f" (SELECT count(*) FROM (SELECT 1 FROM tag LIMIT {COUNTED}) t), count(*),"
        f" CAST(coalesce(sum(b.size), 0) AS BIGINT) FROM (SELECT size FROM blob LIMIT {COUNTED}) b",
        (),
    )
    return Totals._make(rows[0])


def referrers(repository: str, subject: str, artifact_type: str, after: str, limit: int) -> Script[list[Referrer]]:
    """Manifests with a subject."""
    wanted = (" AND m.artifact_type = ?", (artifact_type,)) if artifact_type else ("", ())
    rows = yield (
        "SELECT m.digest, m.media_type, m.size, m.artifact_type, m.annotations FROM manifest m"
        f" WHERE m.repository = {_HOME} AND m.subject = ? AND m.subject <> '' AND m.digest > ?{wanted[0]}"
        " ORDER BY m.digest LIMIT ?",
        (repository, subject, after, *wanted[1], limit),
    )
    return [Referrer._make(row) for row in rows]


def parents(repository: str, digest: str, limit: int) -> Script[list[tuple[str, str]]]:
    """Manifests that need a content, with the kind of the need."""
    return (
        yield (
            f"SELECT e.parent, e.kind FROM edge e WHERE e.repository = {_HOME} AND e.child = ?"
            " ORDER BY e.parent LIMIT ?",
            (repository, digest, limit),
        )
    )


def linked_in(digest: str, after: str, limit: int) -> Script[list[tuple[str, str]]]:
    """Names of repositories that link to a blob, each with its visibility, after one; the oldest first."""
    page = (
        f"SELECT k.repository FROM link k WHERE k.digest = ? AND k.repository > coalesce({_HOME}, 0)"
        " ORDER BY k.repository LIMIT ?"
    )
    return (
        yield (
            f"SELECT r.name, r.visibility FROM ({page}) l JOIN repository r ON r.id = l.repository"
            " WHERE r.name < '~' ORDER BY l.repository",
            (digest, after, limit),
        )
    )
