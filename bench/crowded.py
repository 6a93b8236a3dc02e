"""A root with any number of tags and repositories, made of one pushed image by SQL, since pushing would take hours."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from pathlib import Path

from bench.registries import Hardtack
from bench.wire import Wire

HOME = "scale/tags"
REFERRERS = 50
LAYER = 20_000


class Crowd(Hardtack):
    """Our registry on such a root.

    Attributes:
        count: of tags in `scale/tags`, and of repositories `many/…`.
        blob: digest of a layer that all of them have.
        subject: digest of a manifest with `REFERRERS` referrers.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.name = f"crowd-{count}"
        super().__init__(folder, None)
        self.count = count
        self.accounts = False

    def words(self) -> list[str]:
        return [*super().words(), *(["--accounts"] if self.accounts else [])]

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def start(self) -> None:
        (self.folder / "log").unlink(missing_ok=True)
        super().start()

    def end(self) -> None:
        """Stop it and keep the root."""
        self.process.terminate()
        self.process.wait(60)
        self.log.close()

    def fill(self) -> None:
        """Push one image with its referrers, then multiply it."""
        self.start()
        wire = Wire(self.place)
        layer = os.urandom(LAYER)
        self.subject = wire.push_image(HOME, tag_of(0), [layer])
        self.blob = f"sha256:{hashlib.sha256(layer).hexdigest()}"
        for number in range(REFERRERS):
            _refer(wire, self.subject, number)
        wire.close()
        self.end()
        multiply(self.root / "registry.db", self.count)


def tag_of(number: int) -> str:
    return f"v{number:07}"


def name_of(number: int) -> str:
    return f"many/app{number:07}"


def _refer(wire: Wire, subject: str, number: int) -> None:
    empty = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": wire.push_blob(HOME, b"{}"), "size": 2}
    kind = "application/vnd.oci.image.manifest.v1+json"
    document = {
        "schemaVersion": 2,
        "mediaType": kind,
        "artifactType": "application/vnd.bench.signature",
        "config": empty,
        "layers": [],
        "subject": {"mediaType": kind, "digest": subject, "size": 1},
        "annotations": {"n": str(number)},
    }
    raw = json.dumps(document).encode()
    status, _, said = wire("PUT", f"/v2/{HOME}/manifests/sha256:{hashlib.sha256(raw).hexdigest()}", raw, kind)
    if status != 201:
        raise RuntimeError(f"a referrer was answered {status}: {said[:200]!r}")


def multiply(database: Path, count: int) -> None:
    """Give `scale/tags` so many tags with a manifest each, and make as many repositories with one image each."""
    db = sqlite3.connect(database, isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("BEGIN")
    (home,) = db.execute("SELECT id FROM repository WHERE name = ?", (HOME,)).fetchone()
    (digest,) = db.execute("SELECT digest FROM tag WHERE repository = ?", (home,)).fetchone()
    raw = db.execute("SELECT body FROM content WHERE digest = ?", (digest,)).fetchone()[0]
    _more_tags(db, home, digest, raw, count)
    _more_repositories(db, home, digest, len(raw), count)
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def _more_tags(db: sqlite3.Connection, home: int, digest: str, raw: bytes, count: int) -> None:
    bodies = [raw.replace(b"{", b'{"n":%d,' % number, 1) for number in range(1, count)]
    made = [(f"sha256:{hashlib.sha256(body).hexdigest()}", body, number) for number, body in enumerate(bodies, 1)]
    db.executemany("INSERT INTO content (digest, body) VALUES (?, ?)", [(name, body) for name, body, _ in made])
    _copy(
        db,
        "manifest",
        "repository = ? AND digest = ?",
        (home, digest),
        ("digest", "size"),
        [(n, len(b)) for n, b, _ in made],
    )
    _copy(db, "edge", "repository = ? AND parent = ?", (home, digest), ("parent",), [(name,) for name, _, _ in made])
    _copy(
        db, "tag", "repository = ?", (home,), ("name", "digest"), [(tag_of(number), name) for name, _, number in made]
    )
    db.execute("UPDATE repository SET size = size + ? WHERE id = ?", (sum(map(len, bodies)), home))


def _more_repositories(db: sqlite3.Connection, home: int, digest: str, size: int, count: int) -> None:
    sizes = "SELECT sum(b.size) FROM edge e JOIN blob b ON b.digest = e.child WHERE e.repository = ? AND e.parent = ?"
    (linked,) = db.execute(sizes, (home, digest)).fetchone()
    first = db.execute("SELECT max(id) FROM repository").fetchone()[0] + 1
    ids = range(first, first + count)
    names = [(number, name_of(number - first), linked + size) for number in ids]
    _copy(db, "repository", "id = ?", (home,), ("id", "name", "size"), names)
    homes = [(number,) for number in ids]
    children = "repository = ? AND digest IN (SELECT child FROM edge WHERE repository = ? AND parent = ?)"
    _copy(db, "link", children, (home, home, digest), ("repository",), homes)
    _copy(db, "manifest", "repository = ? AND digest = ?", (home, digest), ("repository",), homes)
    _copy(db, "edge", "repository = ? AND parent = ?", (home, digest), ("repository",), homes)
    _copy(db, "tag", "repository = ? AND name = ?", (home, tag_of(0)), ("repository",), homes)


def _copy(
    db: sqlite3.Connection,
    table: str,
    where: str,
    values: tuple[object, ...],
    changed: tuple[str, ...],
    rows: list[tuple],  # type: ignore[type-arg]
) -> None:
    """Copy the rows that a condition finds once for each of `rows`, which replace some columns; the others stay."""
    columns = [name for _, name, *_ in db.execute(f"PRAGMA table_info({table})")]
    originals = db.execute(f"SELECT {', '.join(columns)} FROM {table} WHERE {where}", values).fetchall()
    places = [columns.index(name) for name in changed]
    marks = ", ".join("?" * len(columns))

    def copies() -> object:
        for original in originals:
            row = list(original)
            for change in rows:
                for place, value in zip(places, change, strict=True):
                    row[place] = value
                yield tuple(row)

    db.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", copies())
