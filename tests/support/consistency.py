"""What is always true of a root, whatever died when: asserted from outside, with nothing of the code under test."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path


def assert_consistent(path: str | Path) -> None:
    """Every row's blob is whole, every visible blob has its name's bytes, every name leads to an image that is held."""
    path = Path(path)
    if not (path / "state.db").exists():
        assert not list(path.glob("blobs/*/*/*")), "content before there is a database"
        return
    db = sqlite3.connect(path / "state.db")
    try:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = dict(db.execute("SELECT digest, size FROM blob"))
        names = dict(db.execute("SELECT name, digest FROM reference"))
        images = {row[0] for row in db.execute("SELECT digest FROM image")}
        kept = {row[0] for row in db.execute("SELECT digest FROM keep WHERE holder LIKE 'image:%'")}
    finally:
        db.close()
    files = {}
    for file in path.glob("blobs/*/*/*"):
        algorithm = file.parent.parent.name
        data = file.read_bytes()
        assert hashlib.new(algorithm, data).hexdigest() == file.name
        files[f"{algorithm}:{file.name}"] = len(data)
    assert {digest: files.get(digest) for digest in rows} == rows, "a row without its blob"
    assert set(names.values()) <= images, "a name without its image"
    assert images == kept, "an image that nothing keeps, or the other way round"
    assert images <= set(rows), "an image without its manifest"
