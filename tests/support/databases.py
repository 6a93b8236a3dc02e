"""The databases that the registry can have, for tests that run over each of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from hardtack.registry.metadata.database import Database
from hardtack.registry.metadata.postgres import PostgresDatabase
from hardtack.registry.metadata.sqlite import SqliteDatabase
from support.postgres_server import postgres_server


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


_TEMPLATE = "template_registry"
_opened: Counter[str] = Counter()


async def postgres_url(folder: Path) -> str:
    """The address of the folder's database on the session's server, made when it is new.

    Databases of folders that nobody has open any more are dropped meanwhile. Costs 60 ms, and once 3 s.
    """
    server = postgres_server()
    name = f"test_{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"
    if not _opened:
        await server.execute(f"CREATE DATABASE {_TEMPLATE}")
        await (await PostgresDatabase.open(server.url(_TEMPLATE))).close()
        _opened[_TEMPLATE] = 1
    if name not in _opened:
        stale = [other for other, users in _opened.items() if not users]
        drops = [f"DROP DATABASE IF EXISTS {other} WITH (FORCE)" for other in stale]
        await server.execute(*drops, f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        for other in stale:
            del _opened[other]
    _opened[name] += 0
    return server.url(name)


@asynccontextmanager
async def postgres(folder: Path, clock: Clock) -> AsyncIterator[Database]:
    """A database of a real PostgreSQL. Costs 100 ms."""
    url = await postgres_url(folder)
    name = url.rpartition("/")[2]
    _opened[name] += 1
    database = await PostgresDatabase.open(url, clock)
    try:
        yield database
    finally:
        await database.close()
        _opened[name] -= 1


Kind = Callable[[Path, Clock], AbstractAsyncContextManager[Database]]
"""Opens the database of a test, which is fresh for each folder; a second time it is the same one."""

DATABASES: list[Kind] = [sqlite, postgres]
