"""The database file of a root: made whole or not at all, migrated in order, refused when it is newer than we are.

Opening an up-to-date one costs a connection and three pragmas. A new one is prepared under another name and linked
into place, so that nobody ever sees it half made. Transactions and threads are `root.Root`'s business.
"""

from __future__ import annotations

import os

from hardtack.store.disk import sync_path
from hardtack.store.errors import RootUnusable
from hardtack.store.sqlite import Connection, DatabaseError, OperationalError, complete_statement, connect

MIGRATIONS = ("0001_content", "0002_containers", "0003_networks", "0004_build")
"""In their order; `PRAGMA user_version` counts how many were applied. Append, never insert."""

BUSY_SECONDS = 20.0
_LOG_PAGES = 256


def open_database(path: str) -> Connection:
    """Connect to the database at `path`, making or migrating it when needed.

    Returns:
        A connection in autocommit mode that any one thread at a time may use.
    Raises:
        RootUnusable: it is no database of ours, or a newer program made it.
    """
    try:
        if not os.path.exists(path):
            _make(path)
        connection = _connect(path)
        found = _version(connection)
        if found < len(MIGRATIONS):
            _migrate(connection)
        elif found > len(MIGRATIONS):
            raise RootUnusable(
                os.path.dirname(path),
                f"its database has version {found}, this program knows up to {len(MIGRATIONS)}",
                "Use the newer hardtack that wrote it, or another --root",
            )
    except DatabaseError as error:
        if isinstance(error, OperationalError) and not os.access(os.path.dirname(path), os.R_OK | os.W_OK):
            hint = "Run it as root, or choose a directory of yours with --root"
            raise RootUnusable(os.path.dirname(path), "it is somebody else's: permission denied", hint) from error
        hint = "" if isinstance(error, OperationalError) else "Restore it from a copy, or use another --root"
        raise RootUnusable(os.path.dirname(path), f"its database says: {error}", hint) from error
    return connection


def _connect(path: str) -> Connection:
    # A thread's number is used again after its end, and so is its connection: never by two threads at once.
    connection = connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")
    # Commands end without closing, so the next one reads the whole log again: 1 ms for each megabyte of it.
    connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
    return connection


def _version(connection: Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _make(path: str) -> None:
    """Prepare a database in WAL mode beside `path` and link it there; whoever links first has made it."""
    draft = f"{path}.{os.getpid()}.{os.urandom(4).hex()}.new"
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    try:
        connection = _connect(draft)
        try:
            connection.execute("PRAGMA journal_mode = WAL")  # kept in the file's header from now on
            _migrate(connection)
        finally:
            connection.close()  # the last connection moves the log into the file
        sync_path(draft)
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        sync_path(os.path.dirname(path))
    finally:
        for suffix in ("", "-wal", "-shm"):
            try:
                os.unlink(draft + suffix)
            except FileNotFoundError:
                pass


def _migrate(connection: Connection) -> None:
    """Apply what is missing in one transaction; two processes that try at once apply it once."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for number in range(_version(connection), len(MIGRATIONS)):
            for statement in _statements(MIGRATIONS[number]):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {max(_version(connection), len(MIGRATIONS))}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _statements(name: str) -> list[str]:
    """The statements of a migration, one by one: executescript would end the transaction around them."""
    folder = os.path.join(os.path.dirname(__file__), "migrations")
    with open(os.path.join(folder, f"{name}.sql"), encoding="utf-8") as file:
        lines = file.readlines()
    statements, pending = [], ""
    for line in lines:
        if not pending and (not line.strip() or line.startswith("--")):
            continue
        pending += line
        if complete_statement(pending):
            statements.append(pending)
            pending = ""
    if pending.strip():
        raise ValueError(f"migration {name} ends inside a statement")
    return statements
