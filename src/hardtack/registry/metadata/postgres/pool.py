"""Connections to the database: a few per worker, made when they are needed, and made anew when the server was away."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg

from hardtack.registry.metadata.postgres.failures import DriverFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hardtack.registry.metadata.postgres.address import Address
    from hardtack.registry.metadata.postgres.running import Connection

_CONNECT_SECONDS = 5.0
_WAIT_SECONDS = 10.0
_ANSWER_SECONDS = 40.0
_SETTINGS = {
    "application_name": "hardtack registry",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "180s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "jit": "off",
}


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    """A connection that is given back as it is: nothing here leaves anything behind on one, and asking costs a trip."""

    def get_reset_query(self) -> str:
        return ""


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
        self._pool = asyncpg.create_pool(
            **arguments(address), min_size=0, max_size=size, max_queries=1_000_000, connection_class=_Connection
        )

    async def open(self) -> None:
        """Be ready."""
        await self._pool

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """One for the block; what the block left in it is rolled back.

        Raises:
            DriverFailed: there is none.
        """
        try:
            connection = await self._pool.acquire(timeout=_WAIT_SECONDS)
        except Exception as error:
            raise DriverFailed(error) from error
        try:
            yield connection
        finally:
            # A connection that cannot be given back is closed by the driver; the block has succeeded or failed before.
            with contextlib.suppress(Exception):
                await self._pool.release(connection, timeout=_WAIT_SECONDS)

    async def close(self) -> None:
        """Close all, waiting for what is in use."""
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await self._pool.close()
        except Exception:  # noqa: BLE001 - nothing is lost with a connection that cannot say goodbye
            self._pool.terminate()
