"""The served database: PostgreSQL, for any number of replicas on any number of machines.

A transaction is READ COMMITTED: scripts lock the rows that they decide by. One that loses a race is run again. Who is
cancelled while changing something does not take back what is begun: it happens, or it does not, and never half.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, TypeVar

from hardtack.registry.metadata.postgres import failures
from hardtack.registry.metadata.postgres.address import parse
from hardtack.registry.metadata.postgres.failures import DriverFailed
from hardtack.registry.metadata.postgres.locking import alone
from hardtack.registry.metadata.postgres.migrating import prepare
from hardtack.registry.metadata.postgres.pool import Pool
from hardtack.registry.metadata.postgres.running import run
from hardtack.registry.metadata.postgres.transactions import Patience, transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from contextlib import AbstractAsyncContextManager
    from typing import ParamSpec

    from hardtack.registry.metadata.postgres.address import Address
    from hardtack.registry.metadata.postgres.running import Connection
    from hardtack.registry.metadata.script import Script

    P = ParamSpec("P")

T = TypeVar("T")

_DURABLE = "BEGIN"
_SOON = "BEGIN; SET LOCAL synchronous_commit TO OFF"
_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_LOCKS = 16


def _renumbered(keys: Sequence[tuple[str, str]]) -> Script[None]:
    for table, column in keys:
        largest = f"(SELECT coalesce(max({column}), 0) FROM {table})"
        yield f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), {largest} + 1, false)", ()


class PostgresDatabase:
    """See `metadata.database.Database`. Belongs to the event loop that opened it; `open` makes one."""

    def __init__(self, address: Address, clock: Callable[[], float]) -> None:
        self.now = clock
        self._pool = Pool(address, address.pool)
        self._locks = Pool(address, _LOCKS)
        self._changes: set[asyncio.Task[Any]] = set()

    @classmethod
    async def open(cls, url: str, clock: Callable[[], float] = time.time) -> PostgresDatabase:
        """Connect, and make or migrate the schema when needed.

        Args:
            url: postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with the driver's options and `pool_size`,
                `statement_cache_size`.
        Raises:
            CannotServe: there is no such database, it is not for us, or a newer program has made it unusable for this.
        """
        address = parse(url)
        await prepare(address)
        return cls(address, clock)

    async def close(self) -> None:
        """Finish what was begun and close the connections."""
        while self._changes:
            await asyncio.wait(self._changes)
        await self._pool.close()
        await self._locks.close()

    async def read(self, script: Callable[P, Script[T]], *values: P.args, **options: P.kwargs) -> T:
        """Ask; statements of one script may see different moments."""

        async def ask(connection: Connection) -> T:
            return await run(connection, script(*values, **options))

        return await self._patiently(ask)

    def at_once(self, script: Callable[P, Script[T]], *_values: P.args, **_options: P.kwargs) -> T | None:  # noqa: ARG002
        """Nothing: a server always has to be waited for."""
        return None

    async def browse(self, script: Callable[P, Script[T]], *values: P.args, **options: P.kwargs) -> T:
        """Ask; all statements see one moment."""

        async def ask(connection: Connection) -> T:
            async with transaction(connection, _SNAPSHOT):
                return await run(connection, script(*values, **options), once=True)

        return await self._patiently(ask)

    async def write(self, script: Callable[P, Script[T]], *values: P.args, **options: P.kwargs) -> T:
        """Change something; waits until the server has flushed it."""
        return await self._apart(self._change(_DURABLE, lambda: script(*values, **options)))

    async def note(self, script: Callable[P, Script[T]], *values: P.args, **options: P.kwargs) -> T:
        """Change something without waiting for the flush: a crash of the server may lose its last moment."""
        return await self._apart(self._change(_SOON, lambda: script(*values, **options)))

    async def free(self, script: Callable[P, Script[T]], *values: P.args, **options: P.kwargs) -> T:
        """As `write`: the server's disk is the server's."""
        return await self.write(script, *values, **options)

    async def renumber(self, keys: Sequence[tuple[str, str]]) -> None:
        """Set the sequences behind the columns."""
        await self.write(_renumbered, keys)

    async def _change(self, begin: str, script: Callable[[], Script[T]]) -> T:
        async def attempt(connection: Connection) -> T:
            async with transaction(connection, begin):
                return await run(connection, script())

        return await self._patiently(attempt)

    async def _apart(self, change: Coroutine[Any, Any, T]) -> T:
        """Do a change in a task of its own, which goes on when its caller is cancelled."""
        task = asyncio.create_task(change)
        self._changes.add(task)
        task.add_done_callback(self._changed)
        return await asyncio.shield(task)

    def _changed(self, task: asyncio.Task[Any]) -> None:
        self._changes.discard(task)
        if not task.cancelled():
            task.exception()  # the caller may be gone, and then nobody asks

    async def _patiently(self, attempt: Callable[[Connection], Coroutine[Any, Any, T]]) -> T:
        patience = None
        while True:
            try:
                async with self._pool.connection() as connection:
                    return await attempt(connection)
            except DriverFailed as error:
                patience = patience or Patience()
                pause = patience.pause(error)
                if pause is None:
                    raise failures.failure(error.cause) from error.cause
            await asyncio.sleep(pause)

    def alone(self, name: str) -> AbstractAsyncContextManager[bool]:
        """Hold an advisory lock."""
        return alone(self._locks, name)
