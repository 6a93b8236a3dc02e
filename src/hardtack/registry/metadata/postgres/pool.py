"""Connections to the database: a few per worker, made when they are needed, and made anew when the server was away.

It does much less than the driver's own pool, which costs more than a short question: what is given back is as it was,
or it is closed.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import asyncpg

from hardtack.registry.metadata.postgres.failures import DriverFailed

if TYPE_CHECKING:
    from types import TracebackType

    from hardtack.registry.metadata.postgres.address import Address
    from hardtack.registry.metadata.postgres.running import Connection

_CONNECT_SECONDS = 5.0
_WAIT_SECONDS = 10.0
_ANSWER_SECONDS = 40.0
_CLOSE_SECONDS = 5.0
_STALE_SECONDS = 300.0
_SETTINGS = {
    "application_name": "hardtack registry",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "180s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "jit": "off",
}


def arguments(address: Address) -> dict[str, Any]:
    """How the driver is told to connect."""
    # A pooler hands connections from one client to the next, so it takes no settings for one of them.
    return {
        "dsn": address.url,
        "timeout": _CONNECT_SECONDS,
        "command_timeout": _ANSWER_SECONDS,
        "statement_cache_size": address.cache,
        "server_settings": _SETTINGS if address.cache else {},
        **({"target_session_attrs": "read-write"} if address.writable else {}),
    }


class Pool:
    """Up to so many connections, of which none is open before it is needed."""

    def __init__(self, address: Address, size: int) -> None:
        self._arguments = arguments(address)
        self._free = size
        self._idle: list[tuple[Connection, float]] = []
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    def connection(self) -> _Lent:
        """One for a block; what the block left in it is rolled back.

        Raises:
            DriverFailed: there is none.
        """
        return _Lent(self)

    async def take(self) -> Connection:
        """A connection, for as long as nobody gives it back. Raises DriverFailed."""
        await self._turn()
        oldest = time.monotonic() - _STALE_SECONDS
        while self._idle:
            connection, since = self._idle.pop()
            if not connection.is_closed():
                if since > oldest:
                    return connection
                self._close(connection)  # something on the way may have forgotten it
        try:
            return await asyncpg.connect(**self._arguments)
        except BaseException as error:
            self._next()
            if isinstance(error, Exception):
                raise DriverFailed(error) from error
            raise

    def give_back(self, connection: Connection, usable: bool) -> None:
        """Let the next one have its turn, with this connection when it is usable."""
        if usable and not self._closed and not connection.is_closed() and not connection.is_in_transaction():
            self._idle.append((connection, time.monotonic()))
        else:
            self._close(connection)
        self._next()

    async def _turn(self) -> None:
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._next()  # it came at the same moment
            if isinstance(error, TimeoutError):
                raise DriverFailed(error) from error
            raise

    def _next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _close(self, connection: Connection) -> None:
        task = asyncio.create_task(_closed(connection))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close all: those in use when they are given back."""
        self._closed = True
        while self._idle:
            self._close(self._idle.pop()[0])
        if self._closing:
            await asyncio.wait(self._closing)


class _Lent:
    """A connection for the time of a block."""

    __slots__ = ("_connection", "_pool")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> Connection:
        self._connection = await self._pool.take()
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After these the driver may still be waiting for the end of a statement.
        doubtful = isinstance(error, asyncio.CancelledError) or (
            isinstance(error, DriverFailed) and not isinstance(error.cause, asyncpg.PostgresError)
        )
        self._pool.give_back(self._connection, not doubtful)


async def _closed(connection: Connection) -> None:
    try:
        await connection.close(timeout=_CLOSE_SECONDS)
    except Exception:  # noqa: BLE001 - nothing is lost with a connection that cannot say goodbye
        connection.terminate()
