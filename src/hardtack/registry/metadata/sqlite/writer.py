"""Writing, one process at a time: what waits at the same moment shares a transaction and one fsync.

Short changes are run by the event loop (`near`), everything else by a thread, and so is what comes while the thread has
work: changes happen in the order in which they were asked for. Between processes a lock file queues the writers,
because SQLite's own way of waiting is to sleep.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from hardtack.registry.errors import StorageBroken
from hardtack.registry.metadata.sqlite.committing import Job, begin, deliver, failed
from hardtack.registry.metadata.sqlite.database import connect
from hardtack.registry.metadata.sqlite.near import Near

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

T = TypeVar("T")

_BATCH = 64


class Writer:
    """The writing of one event loop.

    Args:
        path: of the database.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._near = Near(path, self._hand_over)
        self._behind = 0
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="registry-writer", daemon=True)
        self._thread.start()

    async def do(self, change: Callable[[sqlite3.Connection, bool], T], durable: bool = True, short: bool = False) -> T:
        """Run a change in a transaction.

        Args:
            durable: return only when it survives a loss of power.
            short: it may be tried in the event loop, and raises `TooLong` when that is not the place for it.
        Raises:
            what the change raises, and then nothing of it is left; StorageFull, StorageBroken.
        """
        done: asyncio.Future[T] = self._loop.create_future()
        job = Job(change, durable, done)
        if short and not self._behind:
            self._near.add(job)
        else:
            self._hand_over([*self._near.take(), job])
        # A caller that is cancelled does not take back what is queued: it happens, and nobody hears of it.
        return await done

    async def close(self) -> None:
        """Finish what is queued and end the thread."""
        self._hand_over(self._near.take())
        await self._near.close()
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _hand_over(self, batch: list[Job]) -> None:
        self._behind += len(batch)
        for job in batch:
            self._jobs.put(job)

    def _handed_back(self, batch: list[Job], outcomes: list[Any]) -> None:
        self._behind -= len(batch)
        deliver(batch, outcomes)

    # In the thread

    def _run(self) -> None:
        connection = connect(self._path, writing=True)
        lock = os.open(self._path + "-queue", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while (batch := self._next_batch()) is not None:
                self._loop.call_soon_threadsafe(self._handed_back, batch, _in_turn(connection, lock, batch))
        finally:
            os.close(lock)
            connection.close()

    def _next_batch(self) -> list[Job] | None:
        job = self._jobs.get()
        if job is None:
            return None
        batch = [job]
        while len(batch) < _BATCH:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            batch.append(job)
        return batch


def _in_turn(connection: sqlite3.Connection, lock: int, batch: list[Job]) -> list[Any]:
    """Run a batch when no other process writes. Nothing that goes wrong may end the thread."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return _commit(connection, batch)
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)
    except OSError as error:
        return [StorageBroken((error.strerror or str(error)).lower())] * len(batch)


def _commit(connection: sqlite3.Connection, batch: list[Job]) -> list[Any]:
    try:
        durable = any(job.durable for job in batch)
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        outcomes = begin(connection, batch)
        connection.execute("COMMIT")
    except Exception as error:  # noqa: BLE001 - every caller is told
        return failed(connection, batch, error)
    return outcomes
