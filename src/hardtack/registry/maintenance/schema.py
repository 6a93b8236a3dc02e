"""The tables as the migrations make them: names, columns, keys, and the order in which rows can be put in.

Read from the migrations themselves, so that a table which somebody adds is copied without being named here.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from functools import cache
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

from hardtack.registry.metadata.migrations import MIGRATIONS, statements

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = len(MIGRATIONS)
IMPORT = "import"
"""The fact that tells of an import which is not finished; of a copy in the making and never part of one."""

_LEFT_OUT = {"upload"}  # sessions are worth nothing without the half-received bytes, which are not copied
_ONLY = {"fact": f"name <> '{IMPORT}'"}
_TYPES: dict[str, type] = {"INTEGER": int, "REAL": float, "TEXT": str, "BLOB": bytes}
_PAGE = 1000
_LARGE_PAGE = 16  # manifests have up to some mebibytes each


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `type` is the one that its values have here."""

    name: str
    type: Any


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        key: the columns of the primary key, in their order.
        numbered: the database gives out the key.
        within: columns that refer to other rows of the same table.
        page: so many rows are read at a time.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    numbered: bool
    within: tuple[str, ...]
    page: int

    def only(self, names: Sequence[str]) -> Table:
        """The same with some of its columns."""
        known = {column.name: column for column in self.columns}
        return replace(self, columns=tuple(known[name] for name in names))

    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)

    def key_of(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """The key of a row that has these columns."""
        names = self.names()
        return tuple(row[names.index(name)] for name in self.key)

    def after(self, key: tuple[Any, ...] | None) -> tuple[str, tuple[Any, ...]]:
        """The statement for the rows after a key, in the order of keys; None for the first ones."""
        key_names = ", ".join(self.key)
        conditions = [_ONLY[self.name]] if self.name in _ONLY else []
        if key is not None:
            conditions.append(f"({key_names}) > ({', '.join('?' * len(self.key))})")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        sql = f"SELECT {', '.join(self.names())} FROM {self.name}{where} ORDER BY {key_names} LIMIT ?"
        return sql, (*(key or ()), self.page)


@cache
def tables() -> tuple[Table, ...]:
    """Every table that is copied, each after those that it refers to."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for migration in MIGRATIONS:
            for statement in statements(migration):
                connection.execute(statement)
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        names = sorted(name for name in names if not name.startswith("sqlite_") and name not in _LEFT_OUT)
        needs = {name: _references(connection, name) - {name} for name in names}
        return tuple(_table(connection, name) for name in _ordered(needs))
    finally:
        connection.close()


def _references(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row[2] for row in connection.execute(f"PRAGMA foreign_key_list({table})")}


def _ordered(needs: dict[str, set[str]]) -> list[str]:
    sorter: TopologicalSorter[str] = TopologicalSorter({name: sorted(needs[name]) for name in sorted(needs)})
    return list(sorter.static_order())


def _table(connection: sqlite3.Connection, name: str) -> Table:
    found = connection.execute(f"PRAGMA table_info({name})").fetchall()
    columns = []
    for _, column, kind, not_null, _, in_key in found:
        python: Any = _TYPES[kind]
        columns.append(Column(column, python if not_null or in_key else python | None))
    key = tuple(row[1] for row in sorted(found, key=lambda row: row[5]) if row[5])
    within = tuple(row[3] for row in connection.execute(f"PRAGMA foreign_key_list({name})") if row[2] == name)
    numbered = len(key) == 1 and any(row[1] == key[0] and row[2] == "INTEGER" for row in found)
    large = any(row[2] == "BLOB" for row in found)
    return Table(name, tuple(columns), key, numbered, within, _LARGE_PAGE if large else _PAGE)
