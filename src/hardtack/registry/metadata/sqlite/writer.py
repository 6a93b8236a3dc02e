"""One thread per process that writes: what waits at the same moment shares a transaction and one fsync.

A change is a function of a connection. Each runs in its own savepoint, so one that is refused takes nothing of the
others with it. Between processes a lock file queues the writers, because SQLite's own way of waiting is to sleep.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import sqlite3
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from hardtack.registry.errors import StorageBroken
from hardtack.registry.metadata.sqlite.database import connect, failure

if TYPE_CHECKING:
    from collections.abc import Callable

    Change = Callable[[sqlite3.Connection], Any]

T = TypeVar("T")

_BATCH = 64


class _Job(NamedTuple):
    change: Change
    durable: bool
    done: asyncio.Future[Any]


class Writer:
    """The writing thread of one event loop.

    Args:
        path: of the database.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="registry-writer", daemon=True)
        self._thread.start()

    async def do(self, change: Callable[[sqlite3.Connection], T], durable: bool = True) -> T:
        """Run a change in a transaction.

        Args:
            durable: return only when it survives a loss of power.
        Raises:
            what the change raises, and then nothing of it is left; StorageFull, StorageBroken.
        """
        done: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Job(change, durable, done))
        # A caller that is cancelled does not take back what is queued: it happens, and nobody hears of it.
        return await asyncio.shield(done)

    async def close(self) -> None:
        """Finish what is queued and end the thread."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        connection = connect(self._path, writing=True)
        lock = os.open(self._path + "-queue", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while (batch := self._next_batch()) is not None:
                self._loop.call_soon_threadsafe(_deliver, batch, _in_turn(connection, lock, batch))
        finally:
            os.close(lock)
            connection.close()

    def _next_batch(self) -> list[_Job] | None:
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


def _in_turn(connection: sqlite3.Connection, lock: int, batch: list[_Job]) -> list[Any]:
    """Run a batch when no other process writes. Nothing that goes wrong may end the thread."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return _commit(connection, batch)
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)
    except OSError as error:
        return [StorageBroken((error.strerror or str(error)).lower())] * len(batch)


def _commit(connection: sqlite3.Connection, batch: list[_Job]) -> list[Any]:
    """Run a batch. Returns, for each job, its result or the exception to raise."""
    try:
        durable = any(job.durable for job in batch)
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        connection.execute("BEGIN IMMEDIATE")
        outcomes = [_attempt(connection, job.change) for job in batch]
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        _roll_back(connection)
        return [failure(error)] * len(batch)
    except Exception as error:  # noqa: BLE001 - every caller is told
        _roll_back(connection)
        return [error] * len(batch)
    return outcomes


def _attempt(connection: sqlite3.Connection, change: Change) -> Any:
    connection.execute("SAVEPOINT change")
    try:
        outcome = change(connection)
    except Exception as error:
        if not connection.in_transaction:  # SQLite itself has rolled back all: no room, or a broken disk
            raise
        connection.execute("ROLLBACK TO change")
        outcome = failure(error) if isinstance(error, sqlite3.Error) else error
    connection.execute("RELEASE change")
    return outcome


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error:
            pass  # SQLite rolls back by itself after most errors; the next BEGIN tells otherwise


def _deliver(batch: list[_Job], outcomes: list[Any]) -> None:
    for job, outcome in zip(batch, outcomes, strict=True):
        if job.done.done():
            continue
        if isinstance(outcome, BaseException):
            job.done.set_exception(outcome)
        else:
            job.done.set_result(outcome)
