"""The embedded database: SQLite, for any number of processes on one machine.

Short questions are answered in the event loop, where they cost less than a change of thread; long ones run in a thread
with a connection of their own. Writing is the writer's.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from hardtack.registry.errors import StorageFull
from hardtack.registry.metadata.script import is_short
from hardtack.registry.metadata.sqlite.ballast import Ballast
from hardtack.registry.metadata.sqlite.database import connect, prepare
from hardtack.registry.metadata.sqlite.running import run, run_near
from hardtack.registry.metadata.sqlite.writer import Writer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable, Sequence
    from typing import ParamSpec

    from hardtack.registry.metadata.script import Effect, Script

    P = ParamSpec("P")

T = TypeVar("T")


class SqliteDatabase:
    """See `metadata.database.Database`. Belongs to the event loop that made it, and to no process forked from it.

    Args:
        path: of the database file; made or migrated when needed.
        clock: seconds since 1970.
    """

    def __init__(self, path: str, clock: Callable[[], float] = time.time) -> None:
        prepare(path)
        self._path = path
        self.now = clock
        self._quick = connect(path, writing=False)
        self._browsing = connect(path, writing=False)
        self._browser = ThreadPoolExecutor(1, "registry-browser")
        self._loop = asyncio.get_running_loop()
        self._writer = Writer(path)
        self._ballast = Ballast(f"{path}-ballast")
        self._ballast.take()

    async def close(self) -> None:
        """Finish what is queued and close the connections."""
        await self._writer.close()
        self._browser.shutdown()
        self._browsing.close()
        self._quick.close()

    async def read(self, script: Callable[P, Script[T]], *values: P.args, **options: P.kwargs) -> T:
        """Answer in the event loop."""
        return run(self._quick, script(*values, **options))

    def at_once(self, script: Callable[P, Script[T]], *values: P.args, **options: P.kwargs) -> T | None:
        """Answer without even a turn of the event loop."""
        return run(self._quick, script(*values, **options))

    async def browse(self, script: Callable[P, Script[T]], *values: P.args, **options: P.kwargs) -> T:
        """Answer in a thread."""
        question = script(*values, **options)
        return await self._loop.run_in_executor(self._browser, _ask, self._browsing, question, self._perform)

    async def write(self, script: Callable[P, Script[T]], *values: P.args, **options: P.kwargs) -> T:
        """Run it with what else waits, and one fsync for all."""
        return await self._writer.do(self._change(script, *values, **options), short=is_short(script))

    async def note(self, script: Callable[P, Script[T]], *values: P.args, **options: P.kwargs) -> T:
        """Run it without an fsync."""
        change = self._change(script, *values, **options)
        return await self._writer.do(change, durable=False, short=is_short(script))

    async def free(self, script: Callable[P, Script[T]], *values: P.args, **options: P.kwargs) -> T:
        """Run it, with the space held back for it when there is no other."""
        try:
            outcome = await self.write(script, *values, **options)
        except StorageFull:
            if not self._ballast.drop():
                raise
            return await self.write(script, *values, **options)
        self._ballast.take()
        return outcome

    async def renumber(self, keys: Sequence[tuple[str, str]]) -> None:
        """Nothing: the next number is always one more than the largest."""

    def _change(
        self, script: Callable[P, Script[T]], *values: P.args, **options: P.kwargs
    ) -> Callable[[sqlite3.Connection, bool], T]:
        def change(connection: sqlite3.Connection, near: bool) -> T:
            begun = script(*values, **options)
            return run_near(connection, begun) if near else run(connection, begun, self._perform)

        return change

    def _perform(self, effect: Effect) -> None:
        # Runs in the writer's or the browser's thread, which waits inside its transaction until the loop has done it.
        asyncio.run_coroutine_threadsafe(_performed(effect), self._loop).result()

    @asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[bool]:
        """Hold the lock on the one byte of a file that the name stands for."""
        place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")
        descriptor = os.open(f"{self._path}-alone", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, place, 1, 0)
            try:
                fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, lock)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)


def _ask(connection: sqlite3.Connection, question: Script[T], perform: Callable[[Effect], None]) -> T:
    """Run a question whose statements see one state of the database."""
    connection.execute("BEGIN")
    try:
        return run(connection, question, perform, browsing=True)
    finally:
        connection.execute("ROLLBACK")


async def _performed(effect: Effect) -> None:
    await effect.do()


__all__ = ["SqliteDatabase"]
