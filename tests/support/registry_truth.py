"""What is always true of a registry's root on files and SQLite: on disk, in the rows, and between the two."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

from hardtack.oci.digest import Digest
from hardtack.registry.metadata.sqlite.running import run
from support.metadata_truth import blobs_linked, contradictions

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
        found += [*run(db, contradictions()), *_blobs(db, files), *_manifests(db)]
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
    needed = run(db, blobs_linked())
    found = [f"{digest}: needed, and not on disk" for digest in needed - set(files)]
    found += [f"{digest}: on disk, and in no row, so never collected" for digest in set(files) - set(sizes)]
    return found + [
        f"{digest}: has {files[digest][1]} bytes, its row says {sizes[digest]}"
        for digest in needed & set(files) & set(sizes)
        if files[digest][1] != sizes[digest]
    ]


def _manifests(db: sqlite3.Connection) -> list[str]:
    return [
        f"{digest}: a manifest with other bytes"
        for digest, body in db.execute("SELECT digest, body FROM content")
        if digest != Digest.of(body, digest.partition(":")[0])
    ]
