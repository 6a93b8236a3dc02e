"""The schema in PostgreSQL: made, or brought up to date while replicas of the previous version go on serving.

Whoever opens the database does it, one at a time. Tables change in one transaction that waits for nobody for long,
since everybody else would wait behind it; indexes on tables that have content are built beside what goes on there.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from typing import TYPE_CHECKING, NamedTuple

import asyncpg

from hardtack.registry.errors import CannotServe
from hardtack.registry.metadata.migrations import MIGRATIONS, OLDEST, expect_usable, statements
from hardtack.registry.metadata.postgres.failures import DriverFailed, gone, reason
from hardtack.registry.metadata.postgres.locking import taken
from hardtack.registry.metadata.postgres.pool import arguments
from hardtack.registry.metadata.postgres.transactions import transaction
from hardtack.registry.metadata.postgres.translation import defined

if TYPE_CHECKING:
    from hardtack.registry.metadata.postgres.address import Address
    from hardtack.registry.metadata.postgres.running import Connection

_PATIENCE_SECONDS = 5.0
_OLDEST_SERVER = 13
_VERSIONS = (
    "CREATE TABLE IF NOT EXISTS schema_version"
    " (version BIGINT NOT NULL, oldest BIGINT NOT NULL, indexed BIGINT NOT NULL)"
)
_CHANGING = "BEGIN; SET LOCAL lock_timeout TO '2s'; SET LOCAL statement_timeout TO 0"
_INDEX = re.compile(r"(?P<what>CREATE|DROP) (?:UNIQUE )?INDEX (?P<name>\w+)")


class _State(NamedTuple):
    """How many migrations a database has had, what they said of older programs, how many have their indexes too."""

    version: int
    oldest: int
    indexed: int


async def prepare(address: Address) -> None:
    """Make the schema, or bring it up to date. Any number of processes may do so at once.

    Raises:
        CannotServe: there is no such database, it is not for us, or a newer program made it unusable for this one.
    """
    holder = worker = None
    try:
        holder = await _connect(address)
        await _expect_suitable(holder, address)
        while not await _is_current(holder, address):
            worker = worker or await _connect(address)
            if not await _migrated(holder, worker):
                await asyncio.sleep(random.uniform(0.05, 0.2))  # noqa: S311 - no secret
    except DriverFailed as error:
        raise _refusal(error.cause, address) from error.cause
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise _refusal(error, address) from error
    finally:
        for connection in (holder, worker):
            if connection is not None:
                connection.terminate()


def _refusal(error: Exception, address: Address) -> CannotServe:
    hint = "Look at [metadata] url"
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        hint = "Let the registry's role own the database, or its schema"
    return CannotServe(f"cannot use the registry's database {address.shown}: {reason(error)}", hint)


async def _connect(address: Address) -> Connection:
    """A connection without limits of time; a server that is just starting is waited for."""
    details = arguments(address) | {"command_timeout": None}
    details["server_settings"] = {**details["server_settings"], **({"statement_timeout": "0"} if address.cache else {})}
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return await asyncpg.connect(**details)
        except Exception as error:
            if time.monotonic() > end or not gone(error):
                raise DriverFailed(error) from error
        await asyncio.sleep(0.2)


async def _expect_suitable(connection: Connection, address: Address) -> None:
    encoding = await connection.fetchval("SHOW server_encoding")
    version = connection.get_server_version().major
    if version < _OLDEST_SERVER:
        why = f"it is PostgreSQL {version}; {_OLDEST_SERVER} is the oldest that will do"
    elif encoding != "UTF8":
        why = f"its encoding is {encoding}; it must be UTF8"
    elif await connection.fetchval("SELECT current_schema()") is None:
        why = "no schema of its search_path exists, or the role may use none"
    else:
        return
    raise CannotServe(f"cannot use the registry's database {address.shown}: {why}", "Give it another database")


async def _state(connection: Connection) -> _State:
    if await connection.fetchval("SELECT to_regclass('schema_version')") is None:
        return _State(0, 0, 0)
    row = await connection.fetchrow("SELECT version, oldest, indexed FROM schema_version")
    return _State(0, 0, 0) if row is None else _State(*row)


async def _is_current(connection: Connection, address: Address) -> bool:
    state = await _state(connection)
    expect_usable(state.version, state.oldest, address.shown)
    return state.version >= len(MIGRATIONS) and state.indexed >= len(MIGRATIONS)


async def _migrated(holder: Connection, worker: Connection) -> bool:
    """Migrate, unless another process is doing so, or something holds a table for long.

    Who waits for the lock asks again and again: a statement that waits would be waited for by the building of indexes.
    """
    async with transaction(holder, "BEGIN; SET LOCAL idle_in_transaction_session_timeout TO 0"):
        if not await taken(holder, "schema"):
            return False
        state = await _state(worker)
        try:
            if state.version < len(MIGRATIONS):
                async with transaction(worker, _CHANGING):
                    await _change_tables(worker, state)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            return False
        await _build_indexes(worker, state.indexed if state.version else len(MIGRATIONS))
    return True


async def _change_tables(connection: Connection, state: _State) -> None:
    await connection.execute(_VERSIONS)
    for name in MIGRATIONS[state.version :]:
        for statement in statements(name):
            if not (state.version and _INDEX.match(statement)):
                await connection.execute(defined(statement))
    await connection.execute("DELETE FROM schema_version")
    indexed = state.indexed if state.version else len(MIGRATIONS)
    await connection.execute("INSERT INTO schema_version VALUES ($1, $2, $3)", len(MIGRATIONS), OLDEST, indexed)


async def _build_indexes(connection: Connection, done: int) -> None:
    """Build what migrations add and drop what they replace, in this order."""
    for name in MIGRATIONS[done:]:
        for statement in statements(name):
            if index := _INDEX.match(statement):
                if index["what"] == "DROP":
                    await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index['name']}")
                else:
                    await _build_index(connection, index["name"], statement)
    await connection.execute("UPDATE schema_version SET indexed = $1 WHERE indexed < $1", len(MIGRATIONS))


async def _build_index(connection: Connection, name: str, statement: str) -> None:
    """Build an index without holding up who writes to its table. One that was left half built is begun anew."""
    half = "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass($1) AND NOT indisvalid"
    if await connection.fetchval(half, name):
        await connection.execute(f"DROP INDEX CONCURRENTLY {name}")
    await connection.execute(statement.replace(" INDEX ", " INDEX CONCURRENTLY IF NOT EXISTS ", 1))
