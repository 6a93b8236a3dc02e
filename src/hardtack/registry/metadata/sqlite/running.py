"""Scripts run on a connection of SQLite."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from hardtack.registry.metadata.script import Effect

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from hardtack.registry.metadata.script import Script

T = TypeVar("T")

_LIMIT = 200
_LOCKING = (" FOR UPDATE SKIP LOCKED", " FOR UPDATE")


class TooLong(Exception):
    """A script is not for the event loop to run."""


@lru_cache(maxsize=1024)
def _plain(sql: str) -> str:
    for words in _LOCKING:
        sql = sql.removesuffix(words)
    return sql


def run_near(connection: sqlite3.Connection, script: Script[T]) -> T:
    """Run a script in the event loop.

    Raises:
        TooLong: it has many statements, or wants something else done.
        what the script raises; sqlite3.Error.
    """
    send: Callable[[list[tuple[Any, ...]]], Any] = script.send
    try:
        step = next(script)
        for _ in range(_LIMIT):
            if type(step) is not tuple:
                break
            step = send(connection.execute(_plain(step[0]), step[1]).fetchall())
    except StopIteration as end:
        value: T = end.value
        return value
    raise TooLong


@lru_cache(maxsize=256)
def _harmless(sql: str) -> str:
    # PostgreSQL refuses it where nothing may be changed; here it would only be found out there.
    assert not sql.endswith(_LOCKING), f"a question that locks: {sql}"
    return sql


def run(
    connection: sqlite3.Connection,
    script: Script[T],
    perform: Callable[[Effect], None] | None = None,
    browsing: bool = False,
) -> T:
    """Run a script to its end.

    Args:
        connection: within a transaction, unless the script only asks one thing.
        perform: does what the script wants done besides statements.
        browsing: it may not lock anything.
    Raises:
        what the script raises; sqlite3.Error.
    """
    send: Callable[[list[tuple[Any, ...]]], Any] = script.send
    plain = _harmless if browsing else _plain
    try:
        step = next(script)
        while True:
            if type(step) is tuple:
                step = send(connection.execute(plain(step[0]), step[1]).fetchall())
            else:
                assert perform is not None and isinstance(step, Effect)
                perform(step)
                step = send([])
    except StopIteration as end:
        value: T = end.value
        return value
