"""One form for the content of either database: rows as lines of JSON, in parts of some mebibytes with their checksums.

The same rows make the same bytes, whichever database they come from, so two registries hold the same when the checksums
of their exports are the same. A manifest names the parts; it is written last.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from hardtack.registry.maintenance.errors import BackupInvalid
from hardtack.registry.maintenance.schema import VERSION, Table, tables
from hardtack.registry.metadata.script import Effect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hardtack.registry.metadata.script import Script

FORMAT = 1
PART_LIMIT = 1 << 30
"""Larger ones were not made by us."""

_PART = 4 << 20


class Part(msgspec.Struct, frozen=True):
    """Some rows of a table."""

    rows: int
    size: int
    sha256: str


class TableSum(msgspec.Struct, frozen=True):
    """What a table held; `sha256` is of all its rows, however they are cut into parts."""

    name: str
    columns: tuple[str, ...]
    parts: tuple[Part, ...]
    sha256: str = ""

    def rows(self) -> int:
        """How many there are."""
        return sum(part.rows for part in self.parts)


class Manifest(msgspec.Struct, frozen=True):
    """What a copy of a registry is made of.

    Attributes:
        id: of the copy.
        schema: how many migrations the database had had.
        made: seconds since 1970.
        lost: blobs that were already known to be lost, and so are in the copy neither.
    """

    id: str
    made: float
    tables: tuple[TableSum, ...]
    blobs: int = 0
    size: int = 0
    lost: int = 0
    schema: int = VERSION
    format: int = FORMAT


class Sink(Protocol):
    """Takes the parts of an export."""

    async def part(self, table: Table, number: int, data: bytes, rows: int) -> None:
        """Take a part; numbers begin with 0 in each table, and all over again when an export is begun again."""
        ...


class Nowhere:
    """A sink for those who only want the checksums."""

    async def part(self, table: Table, number: int, data: bytes, rows: int) -> None:
        """Do nothing."""


def export(chosen: Sequence[Table], sink: Sink) -> Script[tuple[TableSum, ...]]:
    """Tell the content of tables to a sink; to be run where all statements see one state."""
    sums = []
    for table in chosen:
        parts: list[Part] = []
        after, more = None, True
        cut, whole = _Cut(), hashlib.sha256()
        while more:
            page = yield table.after(after)
            more = len(page) == table.page
            after = table.key_of(page[-1]) if page else None
            for data, rows in cut.add(page, last=not more):
                number = len(parts)
                whole.update(data)
                yield Effect(lambda d=data, t=table, n=number, r=rows: sink.part(t, n, d, r))  # type: ignore[misc]
                parts.append(Part(rows, len(data), hashlib.sha256(data).hexdigest()))
        sums.append(TableSum(table.name, table.names(), tuple(parts), whole.hexdigest()))
    return tuple(sums)


class _Cut:
    """Rows into parts, wherever pages end."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._size = 0

    def add(self, rows: Sequence[tuple[Any, ...]], last: bool) -> Iterator[tuple[bytes, int]]:
        """The parts that are full with these rows, each with how many it has."""
        for row in rows:
            self._lines.append(msgspec.json.encode(row) + b"\n")
            self._size += len(self._lines[-1])
            if self._size >= _PART:
                yield self._all()
        if last and self._lines:
            yield self._all()

    def _all(self) -> tuple[bytes, int]:
        lines, self._lines, self._size = self._lines, [], 0
        return b"".join(lines), len(lines)


def rows_of(table: Table, part: Part, data: bytes) -> list[tuple[Any, ...]]:
    """The rows of a part.

    Raises:
        BackupInvalid: it is not what the manifest says, or holds what the table cannot.
    """
    if len(data) != part.size or hashlib.sha256(data).hexdigest() != part.sha256:
        raise BackupInvalid(f"a part of table {table.name} is not what it was when it was written")
    try:
        rows = _decoder(tuple(column.type for column in table.columns)).decode_lines(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BackupInvalid(f"a part of table {table.name} cannot be read: {error}") from None
    if len(rows) != part.rows:
        raise BackupInvalid(f"a part of table {table.name} has {len(rows)} rows instead of {part.rows}")
    return rows


@lru_cache(maxsize=128)
def _decoder(types: tuple[Any, ...]) -> msgspec.json.Decoder[Any]:
    rows: Any = tuple.__class_getitem__(types)
    return msgspec.json.Decoder(rows)


def written(manifest: Manifest) -> bytes:
    """A manifest as a file."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def read(data: bytes, where: str) -> Manifest:
    """A manifest from a file.

    Args:
        where: its name, for people.
    Raises:
        BackupInvalid: it is none, or one of a newer program.
    """
    try:
        version = msgspec.json.decode(data, type=_Version)
        if version.format > FORMAT or version.schema > VERSION:
            raise BackupInvalid(
                f"{where} was written by a newer program (schema {version.schema}, this one knows {VERSION})"
            )
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BackupInvalid(f"{where} is no manifest of a backup: {error}") from None
    if len(manifest.id) > 64 or any(part.size > PART_LIMIT for table in manifest.tables for part in table.parts):
        raise BackupInvalid(f"{where} is no manifest of a backup: it has parts or an id that are too large")
    chosen(manifest)
    return manifest


class _Version(msgspec.Struct):
    format: int
    schema: int


def chosen(manifest: Manifest) -> tuple[Table, ...]:
    """The tables that a manifest tells of, with the columns that it has.

    Raises:
        BackupInvalid: it has tables or columns that there are not, or lacks a key.
    """
    known = {table.name: table for table in tables()}
    found = {table.name: table.columns for table in manifest.tables}
    for name, columns in found.items():
        table = known.get(name)
        if table is None or not set(columns) <= set(table.names()) or not set(table.key) <= set(columns):
            raise BackupInvalid(f"the backup's table {name[:60]!r} is none of this program's")
    return tuple(table.only(found[table.name]) for table in tables() if table.name in found)


def sum_of(manifest: Manifest, table: str) -> TableSum:
    """What a manifest says of a table."""
    return next(entry for entry in manifest.tables if entry.name == table)
