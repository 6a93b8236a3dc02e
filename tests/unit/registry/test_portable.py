"""The portable form: the same rows make the same bytes in every database, and come back once, whoever dies."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hardtack.oci.digest import Digest
from hardtack.registry.errors import CannotServe
from hardtack.registry.maintenance import importing, portable
from hardtack.registry.maintenance.errors import BackupInvalid, CopyDiffers, InTheWay
from hardtack.registry.maintenance.schema import Table, tables
from hardtack.registry.metadata.database import Database
from hardtack.registry.metadata.migrations import MIGRATIONS, statements
from hardtack.registry.metadata.rows import NewManifest
from hardtack.registry.metadata.store import Metadata
from hardtack.registry.repositories.store import Repositories
from support.databases import Clock, sqlite

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script


class Kept:
    """A sink that keeps what it is told, and can tell it again."""

    def __init__(self) -> None:
        self.parts: dict[tuple[str, int], tuple[bytes, int]] = {}

    async def part(self, table: Table, number: int, data: bytes, rows: int) -> None:
        self.parts[table.name, number] = data, rows

    async def tell(self, chosen: Sequence[Table], sink: portable.Sink) -> None:
        for table in chosen:
            for (name, number), (data, rows) in self.parts.items():
                if name == table.name:
                    await sink.part(table, number, data, rows)


class Dies(Exception):
    pass


def accounts() -> Script[None]:
    """A robot that is older than the organisation it belongs to, which a transfer can bring about."""
    sql = "INSERT INTO account (id, name, kind, owner, created) VALUES (?, ?, ?, ?, ?)"
    yield sql, (7, "bakery", "organisation", None, 1.5)
    yield sql, (3, "oven", "robot", 7, 2.0)
    yield "INSERT INTO fact (name, value) VALUES (?, ?)", ("rights ü\u2028\\", '{"a": "\U0001f36a"}')


async def fill(database: Database) -> None:
    metadata = Metadata(database)
    for number in range(40):
        raw = str(number).encode()
        manifest = NewManifest(Digest.of(raw), "application/x", raw)
        await metadata.put_manifest(f"bakery/r{number % 3}", manifest, [f"v{number}"], "ann", lambda tag, before: None)
    await database.write(accounts)


async def exported(database: Database, sink: portable.Sink | None = None) -> portable.Manifest:
    sums = await database.browse(portable.export, tables(), sink or portable.Nowhere())
    return portable.Manifest("x" * 32, 1.0, sums)


def test_every_table_of_the_migrations_is_copied_after_those_it_refers_to() -> None:
    connection = sqlite3.connect(":memory:")
    for migration in MIGRATIONS:
        for statement in statements(migration):
            connection.execute(statement)
    there = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    names = [table.name for table in tables()]
    assert set(names) == there - {"upload"}
    for table in tables():
        for row in connection.execute(f"PRAGMA foreign_key_list({table.name})"):
            assert row[2] == table.name or names.index(row[2]) < names.index(table.name)
    connection.close()


async def test_what_went_out_of_one_database_comes_into_another(
    database: Database, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portable, "_PART", 300)  # several parts per table
    folder = tmp_path / "source"
    folder.mkdir()
    kept = Kept()
    async with sqlite(folder, clock) as source:
        await fill(source)
        manifest = await exported(source, kept)
    assert len(portable.sum_of(manifest, "manifest").parts) > 3
    await database.write(importing.begin, "a", manifest.id)
    with pytest.raises(CannotServe, match="not finished"):
        await importing.expect_whole(database)
    await importing.put_in(database, manifest, kept.tell)
    await importing.finish(database, manifest)
    await importing.expect_whole(database)
    assert (await exported(database)).tables == manifest.tables
    assert await database.browse(owner) == 7
    clock.now += 1
    await Metadata(database).put_manifest(  # the next numbers are free
        "new/one", NewManifest(Digest.of(b"n"), "application/x", b"n"), ["v"], "ann", lambda tag, before: None
    )


def owner() -> Script[int]:
    rows = yield "SELECT owner FROM account WHERE name = 'oven'", ()
    return int(rows[0][0])


async def test_an_import_that_died_goes_on_where_it_stopped(
    database: Database, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portable, "_PART", 300)
    folder = tmp_path / "source"
    folder.mkdir()
    kept = Kept()
    async with sqlite(folder, clock) as source:
        await fill(source)
        manifest = await exported(source, kept)
    left = 0

    async def dying(chosen: Sequence[Table], sink: portable.Sink) -> None:
        class Fuse:
            async def part(self, table: Table, number: int, data: bytes, rows: int) -> None:
                nonlocal left
                left -= 1
                if left < 0:
                    raise Dies
                await sink.part(table, number, data, rows)

        await kept.tell(chosen, Fuse())

    for steps in (1, 4, 9, 17):
        left = steps
        await database.write(importing.begin, "a", manifest.id)
        with pytest.raises(Dies):
            await importing.put_in(database, manifest, dying)
    await database.write(importing.begin, "a", manifest.id)
    await importing.put_in(database, manifest, kept.tell)
    await importing.finish(database, manifest)
    assert (await exported(database)).tables == manifest.tables


async def test_a_copy_of_an_older_schema_gets_the_defaults_of_what_came_since(
    database: Database, tmp_path: Path, clock: Clock
) -> None:
    since = {"repository": ("explicit", "upstream"), "grave_need": ("held",)}
    older = [
        table.only([name for name in table.names() if name not in since.get(table.name, ())])
        for table in tables()
        if table.name != "lost"
    ]
    folder = tmp_path / "source"
    folder.mkdir()
    kept = Kept()
    async with sqlite(folder, clock) as source:
        await fill(source)
        sums = await source.browse(portable.export, older, kept)
    manifest = portable.read(portable.written(portable.Manifest("x" * 32, 1.0, sums, schema=3)), "there")
    await database.write(importing.begin, "a", manifest.id)
    await importing.put_in(database, manifest, kept.tell)
    await importing.finish(database, manifest)
    assert (await Repositories(database).details("bakery/r1")).name == "bakery/r1"


async def test_two_registries_are_never_mixed(database: Database) -> None:
    await database.write(importing.begin, "the old one", "1")
    with pytest.raises(InTheWay, match="unfinished copy of the old one"):
        await database.write(importing.begin, "another one", "1")
    await database.write(importing.begin, "the old one", "2")  # it has changed since: from the start
    await database.write(lambda: iter_statement("DELETE FROM fact"))
    await fill(database)
    with pytest.raises(InTheWay, match="holds a registry already"):
        await database.write(importing.begin, "another one", "1")


def iter_statement(sql: str) -> Script[None]:
    yield sql, ()


async def test_a_row_that_changed_on_the_way_is_told(database: Database, tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    kept = Kept()
    async with sqlite(folder, clock) as source:
        await fill(source)
        manifest = await exported(source, kept)
    await database.write(importing.begin, "a", manifest.id)
    await importing.put_in(database, manifest, kept.tell)
    await database.write(lambda: iter_statement("UPDATE tag SET updated_by = 'mallory' WHERE name = 'v3'"))
    with pytest.raises(CopyDiffers, match="tag"):
        await importing.finish(database, manifest)
    data, rows = kept.parts["tag", 0]
    kept.parts["tag", 0] = data.replace(b"v3", b"v4"), rows
    await database.write(importing.begin, "a", "another state")
    with pytest.raises(BackupInvalid, match="not what it was"):
        await importing.put_in(database, manifest, kept.tell)


GOOD: dict[str, Any] = {"id": "a", "made": 1.0, "tables": [], "schema": 1, "format": 1}
PART = {"rows": 1, "size": 1, "sha256": ""}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 99}, "newer program"),
        ({"schema": 999}, "newer program"),
        ({"tables": [{"name": "passwd", "columns": [], "parts": []}]}, "none of this program"),
        ({"tables": [{"name": "tag", "columns": ["name"], "parts": []}]}, "none of this program"),
        ({"tables": [{"name": "tag", "columns": ["1; DROP"], "parts": []}]}, "none of this program"),
        ({"tables": [{"name": "tag", "columns": [], "parts": [{**PART, "size": 1 << 40}]}]}, "too large"),
        ({"id": 5}, "no manifest"),
        ({"id": "x" * 100}, "too large"),
    ],
)
def test_a_manifest_that_is_not_ours_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(BackupInvalid, match=told):
        portable.read(msgspec.json.encode(GOOD | change), "there")
    for data in (b"", b"[]", b"\xff", b"{" * 100_000):
        with pytest.raises(BackupInvalid):
            portable.read(data, "there")


def test_rows_of_another_shape_are_refused() -> None:
    table = next(table for table in tables() if table.name == "fact")
    for line in (b'["a"]\n', b"[1, 2]\n", b'{"name": "a"}\n', b'["a", "b", "c"]\n', b"[[[[\n", b'["a", null]\n'):
        part = portable.Part(1, len(line), hashlib.sha256(line).hexdigest())
        with pytest.raises(BackupInvalid):
            portable.rows_of(table, part, line)
