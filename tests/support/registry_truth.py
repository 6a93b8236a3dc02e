"""What is always true of a registry's root on files and SQLite, looked at from outside, with none of its own code."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

Seen = dict[tuple[str, int, int], str]


def wrongs(root: Path, seen: Seen | None = None) -> list[str]:
    """Everything that contradicts docs/registry, "What is on disk"; empty when all is well.

    Args:
        seen: digests of files that were looked at before, by name, inode and size; kept between calls.
    """
    files = _blob_files(root, {} if seen is None else seen)
    found = [f"{digest}: its file has other bytes" for digest, (actual, _) in files.items() if actual != digest]
    db = sqlite3.connect(f"file:{root / 'registry.db'}?mode=ro", uri=True)
    try:
        if (said := db.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
            found.append(f"the database is broken: {said}")
        found += [f"{row}: a dangling reference" for row in db.execute("PRAGMA foreign_key_check")]
        found += _blobs(db, files)
        found += _manifests(db)
    finally:
        db.close()
    return found


def _blob_files(root: Path, seen: Seen) -> dict[str, tuple[str, int]]:
    """Digest by name: digest by content, and size."""
    found = {}
    for path in root.glob("blobs/*/*/*"):
        algorithm, status = path.parent.parent.name, path.stat()
        key = (str(path), status.st_ino, status.st_size)
        if key not in seen:
            seen[key] = f"{algorithm}:{hashlib.new(algorithm, path.read_bytes()).hexdigest()}"
        found[f"{algorithm}:{path.name}"] = (seen[key], status.st_size)
    return found


def _blobs(db: sqlite3.Connection, files: dict[str, tuple[str, int]]) -> list[str]:
    sizes = dict(db.execute("SELECT digest, size FROM blob"))
    linked = {digest for (digest,) in db.execute("SELECT DISTINCT digest FROM link")}
    found = [f"{digest}: linked, and not on disk" for digest in linked - set(files)]
    found += [f"{digest}: on disk, and in no row, so never collected" for digest in set(files) - set(sizes)]
    found += [
        f"{digest}: has {files[digest][1]} bytes, its row says {sizes[digest]}"
        for digest in linked & set(files)
        if files[digest][1] != sizes.get(digest)
    ]
    idle = dict(db.execute("SELECT digest, idle FROM blob"))
    held = {digest for (digest,) in db.execute("SELECT child FROM grave_need")}
    found += [f"{digest}: linked, and idle since {idle[digest]}" for digest in linked if idle.get(digest) is not None]
    found += [f"{digest}: not linked, and not idle" for digest in set(idle) - linked - held if idle[digest] is None]
    return found


def _manifests(db: sqlite3.Connection) -> list[str]:
    found = []
    for digest, body in db.execute("SELECT digest, body FROM content"):
        algorithm = digest.partition(":")[0]
        if digest != f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}":
            found.append(f"{digest}: a manifest with other bytes")
    questions = {
        "a tag without its manifest": "SELECT t.repository, t.name FROM tag t LEFT JOIN manifest m"
        " ON m.repository = t.repository AND m.digest = t.digest WHERE m.digest IS NULL",
        "a manifest without its bytes": "SELECT m.repository, m.digest FROM manifest m LEFT JOIN content c"
        " ON c.digest = m.digest WHERE c.digest IS NULL",
        "a manifest that lacks a blob": "SELECT e.repository, e.parent, e.child FROM edge e LEFT JOIN link l"
        " ON l.repository = e.repository AND l.digest = e.child WHERE e.kind <> 'manifest' AND l.digest IS NULL",
        "a link that is needed, and idle": "SELECT l.repository, l.digest FROM link l WHERE l.idle IS NOT NULL AND"
        " EXISTS (SELECT 1 FROM edge e WHERE e.repository = l.repository AND e.child = l.digest)",
        "a link that nothing needs, and not idle": "SELECT l.repository, l.digest FROM link l WHERE l.idle IS NULL AND"
        " NOT EXISTS (SELECT 1 FROM edge e WHERE e.repository = l.repository AND e.child = l.digest)",
        "a repository of another size than it says": "SELECT r.name, r.size FROM repository r WHERE r.size <>"
        " (SELECT coalesce(sum(b.size), 0) FROM link l JOIN blob b ON b.digest = l.digest WHERE l.repository = r.id)"
        " + (SELECT coalesce(sum(m.size), 0) FROM manifest m WHERE m.repository = r.id)",
    }
    for what, sql in questions.items():
        found += [f"{row}: {what}" for row in db.execute(sql)]
    return found
