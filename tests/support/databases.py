"""The databases that the registry can have, for tests that run over each of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from hardtack.registry.metadata.database import Database
from hardtack.registry.metadata.sqlite import SqliteDatabase


class Clock:
    """Seconds since 1970 that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def sqlite(folder: Path, clock: Clock) -> AsyncIterator[Database]:
    """A database in a file. Costs 10 ms."""
    database = SqliteDatabase(str(folder / "registry.db"), clock)
    try:
        yield database
    finally:
        await database.close()


Kind = Callable[[Path, Clock], AbstractAsyncContextManager[Database]]
"""Opens the database of a test, which is fresh for each folder; a second time it is the same one."""

DATABASES: list[Kind] = [sqlite]
