"""Putting the rows of a copy into an empty database: part by part, each exactly once however often we die meanwhile.

A fact in the database says that an import is under way, from where, and how far it has come; it changes in the
transactions that put the rows in. While it is there nobody serves from the database. It goes when everything was
compared with the manifest.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from hardtack.registry.errors import CannotServe
from hardtack.registry.maintenance.errors import BackupInvalid, CopyDiffers, InTheWay
from hardtack.registry.maintenance.portable import Manifest, Nowhere, chosen, export, rows_of, sum_of
from hardtack.registry.maintenance.schema import IMPORT, Table, tables
from hardtack.registry.metadata.script import first, hits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from hardtack.registry.maintenance.portable import Sink
    from hardtack.registry.metadata.database import Database
    from hardtack.registry.metadata.script import Script

    Tell = Callable[[Sequence[Table], Sink], Awaitable[object]]

_PARAMETERS = 8000  # per statement; PostgreSQL takes 32,767
_ROWS = 400


class Progress(NamedTuple):
    """How far an import has come.

    Attributes:
        source: what is copied, for people and to know it again.
        id: of the manifest; "" before it is known.
        table: the number of the table, in the order of the manifest's; all before are in.
        part: how many parts of it are in.
    """

    source: str
    id: str = ""
    table: int = 0
    part: int = 0


def progress() -> Script[Progress | None]:
    """How far the import that is under way has come; None without one."""
    row = yield from first("SELECT value FROM fact WHERE name = ?", IMPORT)
    return None if row is None else Progress(*json.loads(row[0]))


def note(at: Progress) -> Script[None]:
    """Remember how far it has come."""
    yield (
        "INSERT INTO fact (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (IMPORT, json.dumps(at)),
    )


def is_empty() -> Script[bool]:
    """Whether nothing is in the database but what the migrations themselves put there."""
    for table in tables():
        if table.name != "fact" and (yield from hits(f"SELECT 1 FROM {table.name} LIMIT 1")):
            return False
    return True


def clear() -> Script[None]:
    """Throw away what an unfinished import has brought."""
    for table in reversed(tables()):
        for column in table.within:
            yield f"UPDATE {table.name} SET {column} = NULL WHERE {column} IS NOT NULL", ()
        condition = f" WHERE name <> '{IMPORT}'" if table.name == "fact" else ""
        yield f"DELETE FROM {table.name}{condition}", ()


async def expect_whole(database: Database) -> None:
    """Refuse to serve from a database into which something is still being copied.

    Raises:
        CannotServe: so it is.
    """
    at = await database.read(progress)
    if at is not None:
        raise CannotServe(
            f"cannot serve: the copy of {at.source} into this registry is not finished",
            "Run the same `tack registry restore` or `migrate` again",
        )


def begin(source: str, id: str) -> Script[Progress]:  # noqa: A002
    """Take a database for an import, or go on with one.

    Raises:
        InTheWay: something else is in the database.
    """
    at = yield from progress()
    if at is None:
        if not (yield from is_empty()):
            raise InTheWay(
                "the target holds a registry already, and two are never mixed", "Name an empty folder or database"
            )
    elif at.source != source:
        raise InTheWay(
            f"the target holds an unfinished copy of {at.source}", "Finish that, or name an empty folder or database"
        )
    elif at.id in ("", id):
        at = at._replace(id=id)
        yield from note(at)
        return at
    # New, or of a state that the source has left since.
    yield from clear()
    at = Progress(source, id)
    yield from note(at)
    return at


class Loader:
    """A sink that puts in what is not in yet. `start` it before.

    Args:
        manifest: of all that will come.
    """

    def __init__(self, database: Database, manifest: Manifest) -> None:
        self._database = database
        self._manifest = manifest
        self._numbers = {table.name: number for number, table in enumerate(chosen(manifest))}
        self._at: Progress | None = None

    async def start(self) -> None:
        """See how far an earlier attempt has come."""
        self._at = await self._database.read(progress)

    async def part(self, table: Table, number: int, data: bytes, rows: int) -> None:
        """Put a part in.

        Raises:
            BackupInvalid: it is not what the manifest says.
        """
        del rows
        assert self._at is not None, "not started"
        place = self._numbers[table.name]
        if (place, number) < (self._at.table, self._at.part):
            return
        found = _rows(self._manifest, table, number, data)
        at = self._at._replace(table=place, part=number + 1)
        await self._database.write(_put_in, table, found, at)
        self._at = at


class Referrer:
    """A sink that sets which row of a table refers to which other one of it, when all of them are in."""

    def __init__(self, database: Database, manifest: Manifest) -> None:
        self._database = database
        self._manifest = manifest

    async def part(self, table: Table, number: int, data: bytes, rows: int) -> None:
        """Set those of a part."""
        del rows
        await self._database.write(_refer, table, _rows(self._manifest, table, number, data))


def _rows(manifest: Manifest, table: Table, number: int, data: bytes) -> list[tuple[Any, ...]]:
    parts = sum_of(manifest, table.name).parts
    if number >= len(parts):
        raise BackupInvalid(f"table {table.name} has more parts than there were")
    return rows_of(table, parts[number], data)


def _put_in(table: Table, rows: Sequence[tuple[Any, ...]], at: Progress) -> Script[None]:
    names = table.names()
    blank = [names.index(name) for name in table.within if name in names]
    step = max(1, min(_ROWS, _PARAMETERS // len(names)))
    group = f"({', '.join('?' * len(names))})"
    for start in range(0, len(rows), step):
        some = [_without(row, blank) for row in rows[start : start + step]]
        yield (
            f"INSERT INTO {table.name} ({', '.join(names)}) VALUES {', '.join([group] * len(some))}",
            tuple(value for row in some for value in row),
        )
    yield from note(at)


def _without(row: tuple[Any, ...], blank: Sequence[int]) -> tuple[Any, ...]:
    """A row that refers to no other of its table, which may not be there yet."""
    return tuple(None if place in blank else value for place, value in enumerate(row)) if blank else row


def _refer(table: Table, rows: Sequence[tuple[Any, ...]]) -> Script[None]:
    """Set what was left out when the rows were put in."""
    names = table.names()
    condition = " AND ".join(f"{name} = ?" for name in table.key)
    for column in table.within:
        for row in rows:
            value = row[names.index(column)]
            if value is not None:
                yield f"UPDATE {table.name} SET {column} = ? WHERE {condition}", (value, *table.key_of(row))


async def put_in(database: Database, manifest: Manifest, tell: Tell) -> None:
    """Put everything in that is not in yet.

    Args:
        tell: tells tables, all of their parts, to a sink.
    Raises:
        BackupInvalid: they are not what the manifest says.
    """
    loader = Loader(database, manifest)
    await loader.start()
    every = chosen(manifest)
    await tell(every, loader)
    await tell([table for table in every if table.within], Referrer(database, manifest))


async def finish(database: Database, manifest: Manifest) -> None:
    """Compare a database with the manifest, and give it free to be served from.

    Raises:
        CopyDiffers: it is not the same.
    """
    await database.renumber([(table.name, table.key[0]) for table in tables() if table.numbered])
    found = await database.browse(export, chosen(manifest), Nowhere())
    there = {table.name: (table.rows(), table.sha256) for table in found}
    different = [table.name for table in manifest.tables if there[table.name] != (table.rows(), table.sha256)]
    if different:
        raise CopyDiffers(different)
    await database.write(_end)


def _end() -> Script[None]:
    yield "DELETE FROM fact WHERE name = ?", (IMPORT,)
