"""Being the only process of all replicas that does something: an advisory lock, and the news when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from hardtack.registry.metadata.postgres.failures import DriverFailed, failure
from hardtack.registry.metadata.postgres.running import bound
from hardtack.registry.metadata.postgres.transactions import transaction

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hardtack.registry.metadata.postgres.pool import Pool
    from hardtack.registry.metadata.postgres.running import Connection

_PULSE_SECONDS = 5.0
_BEGIN = "BEGIN; SET LOCAL idle_in_transaction_session_timeout TO 0"


@asynccontextmanager
async def alone(pool: Pool, name: str) -> AsyncIterator[bool]:
    """Hold the lock of a name for the block; a transaction holds it, so that it also does behind a pooler.

    Raises:
        StorageUnreachable: the connection is lost, and with it the lock; the block was cancelled.
    """
    try:
        async with pool.connection() as connection, transaction(connection, _BEGIN):
            if not await taken(connection, name):
                yield False
                return
            async with _pulse(connection), bound(connection):
                yield True
    except DriverFailed as error:
        raise failure(error.cause) from error.cause


async def taken(connection: Connection, name: str) -> bool:
    """Take the lock of a name for the transaction that the connection is in, unless another one has it.

    Raises:
        DriverFailed: the server does not say.
    """
    # Several registries may share a database, each in a schema of its own.
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    lock = f"SELECT 1 WHERE pg_try_advisory_xact_lock(hashtextextended(current_schema(), {number}))"
    try:
        # With values or rows it would be a portal, whose snapshot stays as long as the transaction: nothing would be
        # vacuumed, and no index be built beside it.
        status: str = await connection.execute(lock)
    except Exception as error:
        raise DriverFailed(error) from error
    return status == "SELECT 1"


@asynccontextmanager
async def _pulse(connection: Connection) -> AsyncIterator[None]:
    """Ask the server from time to time whether it is there; without that a cut cable is noticed by nobody."""
    done = asyncio.Event()
    asking = asyncio.create_task(_ask(connection, done))
    try:
        yield
    finally:
        done.set()
        await asyncio.wait([asking])


async def _ask(connection: Connection, done: asyncio.Event) -> None:
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PULSE_SECONDS):
                await done.wait()
            return
        try:
            await connection.execute("SELECT 1", timeout=_PULSE_SECONDS)
        except Exception:  # noqa: BLE001 - whatever it is, the lock is no longer certain
            connection.terminate()
            return
