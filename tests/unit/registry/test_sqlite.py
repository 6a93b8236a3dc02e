"""What is always true in the SQLite database, and that the collector does not rely on it alone."""

from __future__ import annotations

import asyncio
import itertools
import random
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from hardtack.oci.digest import Digest
from hardtack.registry.errors import (
    BlobInUse,
    CannotServe,
    ManifestBlobUnknown,
    NotBuried,
    RepositoryExists,
    RepositoryUnknown,
)
from hardtack.registry.metadata import changes, collecting, graves, reading
from hardtack.registry.metadata.migrations import MIGRATIONS
from hardtack.registry.metadata.rows import Child, NewManifest
from hardtack.registry.metadata.sqlite import SqliteDatabase
from hardtack.registry.metadata.sqlite.database import connect, prepare
from hardtack.registry.metadata.sqlite.running import run
from hardtack.registry.metadata.store import Metadata
from hardtack.registry.repositories import moving, restoring
from support.metadata_truth import contradictions

NAMES = [Digest.of(bytes([number])) for number in range(5)]


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    prepare(str(tmp_path / "registry.db"))
    connection = connect(str(tmp_path / "registry.db"), writing=True)
    yield connection
    connection.close()


def let(tag: str, before: str | None) -> None:
    """The guard that refuses nothing."""


def manifest(number: int, *children: Digest) -> NewManifest:
    raw = f"manifest {number}".encode()
    required = tuple(Child(child, "layer", True) for child in children)
    return NewManifest(Digest.of(raw), "application/json", raw, children=required)


async def nothing(digests: Sequence[str]) -> None:
    """Bytes that are not there."""


def check(db: sqlite3.Connection) -> None:
    assert run(db, contradictions()) == []
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def change_something(db: sqlite3.Connection, chance: random.Random, now: float) -> None:
    home, digest = f"r/{chance.randrange(2)}", chance.choice(NAMES)
    new = manifest(chance.randrange(4), *chance.sample(NAMES, 2))
    tag = f"t{chance.randrange(3)}"
    match chance.choices(range(len(WEIGHTS)), WEIGHTS)[0]:
        case 0:
            run(db, changes.claim(f"u{now}", home, "", digest, 1, now))
            run(db, changes.finish_upload(f"u{now}", home, digest, 1, now))
        case 1:
            run(db, changes.mount(home, digest, f"r/{chance.randrange(2)}", now))
        case 2:
            run(db, changes.put_manifest(home, new, [tag], "", let, now))
        case 3:
            keep = chance.random() < 0.8
            run(db, changes.delete_manifest(home, new.digest, "", chance.choice([0, 1e9]), now, keep))
        case 4:
            run(db, changes.delete_blob(home, digest, now))
        case 5:
            run(db, collecting.drop_links(now - 5, 10))
            run(db, collecting.drop_blobs(now - 5, 10, nothing), lambda effect: None)
            run(db, collecting.drop_repositories(now - 5, 10))
        case 6:
            run(db, changes.delete_tag(home, tag, "", now))
        case 7:
            run(db, restoring.restore(home, new.digest, "", now - 20, now))
        case 8:
            run(db, restoring.restore_tag(home, tag, "", now - 20, now))
        case 9:
            run(db, graves.drop_graves(now - 20, 3))
        case 10:
            run(db, moving.rename(home, f"r/{chance.randrange(2)}", "", now))
        case 11:
            run(db, moving.doom(home, "", now))
        case 12:
            run(db, moving.take_apart(20, now))


WEIGHTS = (12, 2, 10, 5, 2, 2, 2, 3, 2, 2, 1, 0.3, 2)
"""How often each change is tried."""


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_idle_is_what_nothing_needs(db: sqlite3.Connection, seed: int) -> None:
    chance = random.Random(seed)
    for now in range(250):
        db.execute("SAVEPOINT step")
        try:
            change_something(db, chance, float(now))
        except (ManifestBlobUnknown, BlobInUse, NotBuried, RepositoryUnknown, RepositoryExists):
            db.execute("ROLLBACK TO step")
        db.execute("RELEASE step")
        check(db)


@pytest.fixture
def full(db: sqlite3.Connection) -> sqlite3.Connection:
    run(db, changes.claim("u", "r/0", "", NAMES[0], 1, 0.0))
    run(db, changes.finish_upload("u", "r/0", NAMES[0], 1, 0.0))
    run(db, changes.put_manifest("r/0", manifest(0, NAMES[0]), ["v1"], "", let, 0.0))
    return db


def test_a_link_that_a_manifest_needs_is_kept_even_when_it_is_marked_idle(full: sqlite3.Connection) -> None:
    full.execute("UPDATE link SET idle = 0")
    assert run(full, collecting.drop_links(1e9, 10)) == 0


def test_a_blob_that_a_repository_links_to_is_kept_even_when_it_is_marked_idle(full: sqlite3.Connection) -> None:
    full.execute("UPDATE blob SET idle = 0")
    assert run(full, collecting.drop_blobs(1e9, 10, nothing)) == []


def test_a_blob_that_may_be_brought_back_is_kept_even_when_it_is_marked_idle(full: sqlite3.Connection) -> None:
    run(full, changes.delete_manifest("r/0", manifest(0, NAMES[0]).digest, "", -1.0, 0.0, True))
    assert full.execute("SELECT count(*) FROM link").fetchone() == (0,)
    full.execute("UPDATE blob SET idle = 0")
    assert run(full, collecting.drop_blobs(1e9, 10, nothing)) == []


def test_the_questions_of_every_pull_use_an_index(db: sqlite3.Connection) -> None:
    for query in (reading._BY_TAG, reading._BY_DIGEST, reading._BLOB_SIZE):
        plan = " ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}", ("x", "y")))
        assert "SCAN" not in plan


def test_the_collector_looks_only_at_what_is_idle(db: sqlite3.Connection) -> None:
    for table in ("blob", "link"):
        query = f"EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE idle < 5 ORDER BY idle LIMIT 1"
        plan = " ".join(row[3] for row in db.execute(query))
        assert f"USING INDEX {table}_idle" in plan


async def test_many_tags_do_not_make_a_page_slower(tmp_path: Path) -> None:
    """Steps of SQLite's machine are counted, so that the figure does not depend on the machine."""
    database = SqliteDatabase(str(tmp_path / "registry.db"))
    store = Metadata(database)
    steps = []
    for count in (50, 3000):
        home = f"r/{count}"
        await asyncio.gather(*(store.put_manifest(home, manifest(0), [f"t{n:05}"], "", let) for n in range(count)))
        connection = connect(str(tmp_path / "registry.db"), writing=False)
        count_steps = itertools.count()
        connection.set_progress_handler(lambda count_steps=count_steps: next(count_steps) and 0, 1)  # type: ignore[misc]
        assert len(run(connection, reading.tag_names(home, "t00010", 20))) == 20
        assert len(run(connection, reading.latest_tags(home, "", None, 20))) == 20
        steps.append(next(count_steps))
        connection.close()
    await database.close()
    assert steps[1] <= 1.5 * steps[0]


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    path.write_bytes(b"this is no database, and long enough to be taken for one" * 100)
    with pytest.raises(CannotServe, match="not a database"):
        prepare(str(path))


def test_a_newer_schema_is_used_when_it_says_so_and_refused_otherwise(db: sqlite3.Connection, tmp_path: Path) -> None:
    path = str(tmp_path / "registry.db")
    db.execute("PRAGMA user_version = 99")
    db.execute("UPDATE schema_version SET oldest = ?", (len(MIGRATIONS),))
    prepare(path)
    db.execute("UPDATE schema_version SET oldest = ?", (len(MIGRATIONS) + 1,))
    with pytest.raises(CannotServe, match="version is 99"):
        prepare(path)
    assert db.execute("PRAGMA user_version").fetchone() == (99,)


async def test_a_question_that_would_lock_in_postgresql_is_found_out_here_too(tmp_path: Path) -> None:
    database = SqliteDatabase(str(tmp_path / "registry.db"))
    try:
        with pytest.raises(AssertionError, match="locks"):
            await database.browse(changes.find, "a/b")
    finally:
        await database.close()
