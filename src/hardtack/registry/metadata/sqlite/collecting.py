"""The collector's steps, as functions of a connection inside a transaction; each looks at an index of what is idle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.metadata.sqlite.changes import unlink

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence


def drop_uploads(db: sqlite3.Connection, before: float, limit: int) -> list[str]:
    """Forget old sessions; returns the unfinished ones, whose bytes are still there."""
    rows = db.execute("SELECT id, finished FROM upload WHERE touched < ? ORDER BY touched LIMIT ?", (before, limit))
    found = rows.fetchall()
    db.executemany("DELETE FROM upload WHERE id = ?", [(upload,) for upload, _ in found])
    return [upload for upload, finished in found if not finished]


def drop_links(db: sqlite3.Connection, before: float, limit: int) -> int:
    """Unlink what no manifest needs, except where somebody is pushing. Blobs are idle since their last link was."""
    rows = db.execute(
        "SELECT l.repository, l.digest, l.idle FROM link l JOIN repository r ON r.id = l.repository WHERE l.idle < ?"
        " AND NOT EXISTS (SELECT 1 FROM edge e WHERE e.repository = l.repository AND e.child = l.digest)"
        " AND NOT EXISTS (SELECT 1 FROM upload u WHERE u.repository = r.name AND u.finished = 0 AND u.touched >= ?)"
        " ORDER BY l.idle LIMIT ?",
        (before, before, limit),
    ).fetchall()
    for repository, digest, idle in rows:
        unlink(db, repository, digest, idle)
    return len(rows)


def drop_blobs(
    db: sqlite3.Connection, before: float, limit: int, remove: Callable[[Sequence[str]], None]
) -> list[tuple[str, int]]:
    """Forget blobs that nobody links to or claims; their bytes go before the transaction ends."""
    rows: list[tuple[str, int]] = db.execute(
        "SELECT digest, size FROM blob b WHERE b.idle < ?"
        " AND NOT EXISTS (SELECT 1 FROM link l WHERE l.digest = b.digest)"
        " AND NOT EXISTS (SELECT 1 FROM upload u WHERE u.digest = b.digest AND u.digest <> '' AND u.finished = 0)"
        " ORDER BY b.idle LIMIT ?",
        (before, limit),
    ).fetchall()
    if rows:
        db.executemany("DELETE FROM blob WHERE digest = ?", [(digest,) for digest, _ in rows])
        remove([digest for digest, _ in rows])
    return rows


def drop_repositories(db: sqlite3.Connection, before: float, limit: int) -> list[str]:
    """Forget repositories without manifests, blobs and pushes."""
    rows = db.execute(
        "SELECT id, name FROM repository r WHERE r.updated < ?"
        " AND NOT EXISTS (SELECT 1 FROM manifest m WHERE m.repository = r.id)"
        " AND NOT EXISTS (SELECT 1 FROM link l WHERE l.repository = r.id)"
        " AND NOT EXISTS (SELECT 1 FROM upload u WHERE u.repository = r.name AND u.finished = 0)"
        " LIMIT ?",
        (before, limit),
    ).fetchall()
    for home, _ in rows:
        db.execute("DELETE FROM tag_event WHERE repository = ?", (home,))
        db.execute("DELETE FROM repository WHERE id = ?", (home,))
    return [name for _, name in rows]
