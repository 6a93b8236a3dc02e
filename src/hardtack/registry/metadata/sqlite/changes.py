"""The changes that pushing and deleting make, as functions of a connection inside a transaction.

Who may make them was decided before. Each keeps the two invariants that collection relies on: `idle` of a link is NULL
exactly while a manifest of the repository needs the blob, `idle` of a blob exactly while a repository links to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.errors import BlobInUse, ManifestBlobUnknown

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from hardtack.registry.metadata.interface import TagGuard
    from hardtack.registry.metadata.rows import NewManifest


def begin_upload(db: sqlite3.Connection, upload: str, repository: str, who: str, now: float) -> None:
    """Open a session."""
    db.execute("INSERT INTO upload VALUES (?, ?, ?, ?, ?, '', 0)", (upload, repository, who, now, now))


def touch_upload(db: sqlite3.Connection, upload: str, now: float) -> None:
    """Note that a session lives."""
    db.execute("UPDATE upload SET touched = ? WHERE id = ?", (now, upload))


def claim(db: sqlite3.Connection, upload: str, repository: str, who: str, digest: str, size: int, now: float) -> None:
    """Announce a blob before its bytes are put into place."""
    db.execute(
        "INSERT INTO upload VALUES (?, ?, ?, ?, ?, ?, 0)"
        " ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, touched = excluded.touched",
        (upload, repository, who, now, now, digest),
    )
    db.execute(
        "INSERT INTO blob VALUES (?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE"
        " SET idle = excluded.idle WHERE blob.idle IS NOT NULL",
        (digest, size, now, now),
    )


def finish_upload(db: sqlite3.Connection, upload: str, repository: str, digest: str, size: int, now: float) -> None:
    """Link a blob that is on disk and close its session. Its size is certain now; a claim may have been wrong."""
    db.execute(
        "INSERT INTO blob VALUES (?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE SET size = excluded.size",
        (digest, size, now, now),
    )
    _link(db, _repository(db, repository, now), digest, now)
    db.execute("UPDATE upload SET finished = 1, digest = ?, touched = ? WHERE id = ?", (digest, now, upload))


def cancel_upload(db: sqlite3.Connection, upload: str) -> bool:
    """Forget a session."""
    return db.execute("DELETE FROM upload WHERE id = ?", (upload,)).rowcount > 0


def mount(db: sqlite3.Connection, repository: str, digest: str, source: str, now: float) -> bool:
    """Link a blob that another repository links to."""
    linked = db.execute(
        "SELECT 1 FROM repository r JOIN link l ON l.repository = r.id WHERE r.name = ? AND l.digest = ?",
        (source, digest),
    ).fetchone()
    if linked is None:
        return False
    _link(db, _repository(db, repository, now), digest, now)
    return True


def put_manifest(
    db: sqlite3.Connection,
    repository: str,
    manifest: NewManifest,
    tags: Sequence[str],
    who: str,
    guard: TagGuard,
    now: float,
) -> None:
    """Store a manifest and point tags at it."""
    home = _repository(db, repository, now)
    missing = [
        child.digest
        for child in manifest.children
        if child.required and not db.execute(_LINKED, (home, str(child.digest))).fetchone()
    ]
    if missing:
        raise ManifestBlobUnknown(dict.fromkeys(missing))
    digest = str(manifest.digest)
    db.execute("INSERT INTO content VALUES (?, ?) ON CONFLICT (digest) DO NOTHING", (digest, manifest.raw))
    db.execute(
        "INSERT INTO manifest VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (repository, digest) DO UPDATE"
        " SET media_type = excluded.media_type",
        (
            home,
            digest,
            manifest.media_type,
            len(manifest.raw),
            manifest.artifact_type,
            manifest.subject,
            manifest.annotations,
            now,
            who,
        ),
    )
    for child in manifest.children:
        _need(db, home, digest, str(child.digest), child.kind)
    for tag in tags:
        _point(db, home, tag, digest, who, guard, now)


_LINKED = "SELECT 1 FROM link WHERE repository = ? AND digest = ?"


def _need(db: sqlite3.Connection, home: int, parent: str, child: str, kind: str) -> None:
    db.execute("INSERT INTO edge VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", (home, parent, child, kind))
    db.execute("UPDATE link SET idle = NULL WHERE repository = ? AND digest = ?", (home, child))


def _point(db: sqlite3.Connection, home: int, tag: str, digest: str, who: str, guard: TagGuard, now: float) -> None:
    row = db.execute("SELECT digest FROM tag WHERE repository = ? AND name = ?", (home, tag)).fetchone()
    before = None if row is None else row[0]
    guard(tag, before)
    db.execute(
        "INSERT INTO tag VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (repository, name) DO UPDATE"
        " SET digest = excluded.digest, updated = excluded.updated, updated_by = excluded.updated_by",
        (home, tag, digest, now, now, who),
    )
    if before != digest:
        _remember(db, home, tag, digest, who, now)


def _remember(db: sqlite3.Connection, home: int, tag: str, digest: str, who: str, now: float) -> None:
    db.execute(
        "INSERT INTO tag_event (repository, name, digest, moment, who) VALUES (?, ?, ?, ?, ?)",
        (home, tag, digest, now, who),
    )


def delete_tag(db: sqlite3.Connection, repository: str, tag: str, who: str, now: float) -> bool:
    """Forget a tag."""
    home = _find(db, repository)
    if home is None or not db.execute("DELETE FROM tag WHERE repository = ? AND name = ?", (home, tag)).rowcount:
        return False
    _remember(db, home, tag, "", who, now)
    _touch(db, home, now)
    return True


def delete_manifest(db: sqlite3.Connection, repository: str, digest: str, who: str, spare: float, now: float) -> bool:
    """Forget a manifest, its tags, and the links that it alone needed."""
    home = _find(db, repository)
    if home is None or not db.execute(_HELD, (home, digest)).fetchone():
        return False
    tags = db.execute("DELETE FROM tag WHERE repository = ? AND digest = ? RETURNING name", (home, digest)).fetchall()
    for (tag,) in tags:
        _remember(db, home, tag, "", who, now)
    children = db.execute(
        "DELETE FROM edge WHERE repository = ? AND parent = ? RETURNING child", (home, digest)
    ).fetchall()
    db.execute("DELETE FROM manifest WHERE repository = ? AND digest = ?", (home, digest))
    for (child,) in children:
        _release(db, home, child, now - spare, now)
    drop_content(db, digest)
    _touch(db, home, now)
    return True


_HELD = "SELECT 1 FROM manifest WHERE repository = ? AND digest = ?"


def _release(db: sqlite3.Connection, home: int, child: str, recent: float, now: float) -> None:
    """A manifest that needed the child is gone: unlink it unless another one does, or it was pushed just now."""
    if db.execute("SELECT 1 FROM edge WHERE repository = ? AND child = ?", (home, child)).fetchone():
        return
    row = db.execute("SELECT created FROM link WHERE repository = ? AND digest = ?", (home, child)).fetchone()
    if row is None:
        return
    if row[0] > recent:
        db.execute("UPDATE link SET idle = ? WHERE repository = ? AND digest = ?", (now, home, child))
    else:
        unlink(db, home, child, now)


def delete_blob(db: sqlite3.Connection, repository: str, digest: str, now: float) -> bool:
    """Unlink a blob that no manifest of the repository needs."""
    home = _find(db, repository)
    if home is None or not db.execute(_LINKED, (home, digest)).fetchone():
        return False
    parent = db.execute("SELECT parent FROM edge WHERE repository = ? AND child = ?", (home, digest)).fetchone()
    if parent is not None:
        raise BlobInUse(digest, parent[0])
    unlink(db, home, digest, now)
    return True


def unlink(db: sqlite3.Connection, home: int, digest: str, idle: float) -> None:
    """Take a blob out of a repository. Out of the last one it is idle, since the given moment."""
    db.execute("DELETE FROM link WHERE repository = ? AND digest = ?", (home, digest))
    db.execute(
        "UPDATE blob SET idle = ? WHERE digest = ? AND NOT EXISTS (SELECT 1 FROM link WHERE link.digest = blob.digest)",
        (idle, digest),
    )


def drop_content(db: sqlite3.Connection, digest: str) -> None:
    """Forget the bytes of a manifest that no repository has any more."""
    db.execute(
        "DELETE FROM content WHERE digest = ?"
        " AND NOT EXISTS (SELECT 1 FROM manifest WHERE manifest.digest = content.digest)",
        (digest,),
    )


def _link(db: sqlite3.Connection, home: int, digest: str, now: float) -> None:
    # Pushed again counts as pushed now: whoever did so may count on it, whatever is deleted meanwhile.
    needed = db.execute("SELECT 1 FROM edge WHERE repository = ? AND child = ?", (home, digest)).fetchone()
    db.execute(
        "INSERT INTO link VALUES (?, ?, ?, ?) ON CONFLICT (repository, digest) DO UPDATE"
        " SET created = excluded.created, idle = excluded.idle",
        (home, digest, now, None if needed else now),
    )
    db.execute("UPDATE blob SET idle = NULL WHERE digest = ? AND idle IS NOT NULL", (digest,))


def _find(db: sqlite3.Connection, repository: str) -> int | None:
    row = db.execute("SELECT id FROM repository WHERE name = ?", (repository,)).fetchone()
    return None if row is None else row[0]


def _repository(db: sqlite3.Connection, name: str, now: float) -> int:
    row: tuple[int] = db.execute(
        "INSERT INTO repository (name, created, updated) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET updated = excluded.updated RETURNING id",
        (name, now, now),
    ).fetchone()
    return row[0]


def _touch(db: sqlite3.Connection, home: int, now: float) -> None:
    db.execute("UPDATE repository SET updated = ? WHERE id = ?", (now, home))
