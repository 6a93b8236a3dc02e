"""The registry's database file: opened, migrated in order, refused when it is too new for us.

WAL, so that reading never waits for writing. A commit that must be durable says so (`synchronous = FULL`); the others
survive the death of any process, and only a loss of power may take them.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3

from hardtack.registry.errors import CannotServe, RegistryError, StorageBroken, StorageFull
from hardtack.registry.metadata.migrations import MIGRATIONS, OLDEST, expect_usable, statements

_BUSY_SECONDS = 20.0
_CACHE_KIB = 8192
_VERSIONS = "CREATE TABLE IF NOT EXISTS schema_version (oldest INTEGER NOT NULL)"


def connect(path: str, writing: bool) -> sqlite3.Connection:
    """A connection in autocommit mode to a database that `prepare` has seen.

    Args:
        writing: otherwise every attempt to change something fails.
    """
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    if writing:
        connection.execute("PRAGMA foreign_keys = ON")
    else:
        connection.execute("PRAGMA query_only = ON")
    return connection


def prepare(path: str) -> None:
    """Make the database, or bring it up to date. Several processes may do so at once.

    Raises:
        CannotServe: it is no database of ours, or a newer program made it.
    """
    _make_private(path)
    try:
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            _migrate(connection, path)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise CannotServe(f"cannot open the registry's database {path}: {error}") from error


def _make_private(path: str) -> None:
    """Make a file that is not there for us alone: keys are in it, and the folder may be one that everybody can enter.

    SQLite makes the files beside it with the same rights. One that is there is not touched: closing it would let go of
    the locks that this process may have on it.
    """
    with contextlib.suppress(OSError):  # what is wrong with the place, SQLite says next
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _migrate(connection: sqlite3.Connection, path: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute(_VERSIONS)
        row = connection.execute("SELECT oldest FROM schema_version").fetchone()
        expect_usable(version, version if row is None else row[0], path)
        if version < len(MIGRATIONS):
            _apply(connection, version)
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def _apply(connection: sqlite3.Connection, version: int) -> None:
    for name in MIGRATIONS[version:]:
        for statement in statements(name):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    connection.execute("DELETE FROM schema_version")
    connection.execute("INSERT INTO schema_version (oldest) VALUES (?)", (OLDEST,))


def failure(error: sqlite3.Error) -> RegistryError:
    """What a failure of SQLite means to a caller: no room, or a broken disk."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        return StorageFull()
    return StorageBroken(str(error))
