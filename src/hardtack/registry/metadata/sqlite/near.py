"""Short changes, run in the event loop: there a few statements cost less than a change of threads at each of them.

It waits for nobody. While another process writes, it tries again a moment later, and in the end says that it cannot.
What must be durable is committed in a thread, since that takes an fsync; what comes meanwhile waits and goes together.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from typing import TYPE_CHECKING, Any

from hardtack.registry.metadata.sqlite.committing import Job, begin, deliver, failed, is_busy
from hardtack.registry.metadata.sqlite.database import connect
from hardtack.registry.metadata.sqlite.running import TooLong
from hardtack.registry.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable

_BATCH = 64
_MOMENT, _TRIES = 0.001, 5  # others write for less than a moment, mostly
_LIGHT = 100


class Near:
    """The changes of one event loop that it runs itself.

    Args:
        path: of the database.
        elsewhere: takes the jobs that are not for the event loop.
    """

    def __init__(self, path: str, elsewhere: Callable[[list[Job]], None]) -> None:
        self._elsewhere = elsewhere
        self._loop = asyncio.get_running_loop()
        self._connection = connect(path, writing=True)
        self._connection.execute("PRAGMA busy_timeout = 0")
        self._durable: bool | None = None
        self._lock = os.open(path + "-queue", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._thread = Threads(1, "registry-commit")
        self._waiting: list[Job] = []
        self._committing: asyncio.Future[Any] | None = None
        self._tries = 0
        self._light = 0

    def add(self, job: Job) -> None:
        """Run a job soon, with what else comes in this turn of the event loop."""
        self._waiting.append(job)
        if len(self._waiting) == 1 and self._committing is None:
            self._loop.call_soon(self._turn)

    def take(self) -> list[Job]:
        """What waits, for somebody else to do."""
        waiting, self._waiting, self._tries = self._waiting, [], 0
        return waiting

    async def close(self) -> None:
        """Finish what was begun; what waits must have been taken."""
        while self._committing is not None:
            await asyncio.wait([self._committing])
        self._thread.close()
        self._connection.close()
        os.close(self._lock)

    def _turn(self) -> None:
        if not self._waiting or self._committing is not None:
            return
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._tries += 1
            if self._tries < _TRIES:
                self._loop.call_later(_MOMENT, self._turn)
            else:
                self._elsewhere(self.take())
            return
        self._tries = 0
        batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
        self._run(batch)

    def _run(self, batch: list[Job]) -> None:
        """Run a batch, the lock being ours."""
        connection = self._connection
        self._light += len(batch)
        durable = self._light > _LIGHT or any(job.durable for job in batch)
        try:
            self._prepare(durable)
            outcomes = begin(connection, batch, near=True)
            if durable:
                self._light = 0
                self._committing = self._thread.run(connection.execute, "COMMIT")
                self._committing.add_done_callback(lambda done: self._committed(batch, outcomes, done.exception()))
                return
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - every caller is told
            outcomes = failed(connection, batch, TooLong() if is_busy(error) else error)
        self._end(batch, outcomes)

    def _prepare(self, durable: bool) -> None:
        # To shorten the log takes an fsync as well, so it is left to commits in the thread; thus one comes in time.
        if durable is not self._durable:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {1000 if durable else 0}")
            self._durable = durable

    def _committed(self, batch: list[Job], outcomes: list[Any], error: BaseException | None) -> None:
        self._committing = None
        if error is not None:
            outcomes = failed(self._connection, batch, TooLong() if is_busy(error) else error)
        self._end(batch, outcomes)

    def _end(self, batch: list[Job], outcomes: list[Any]) -> None:
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        done = [not isinstance(outcome, TooLong) for outcome in outcomes]
        if not all(done):
            self._elsewhere([job for job, ours in zip(batch, done, strict=True) if not ours] + self.take())
            batch = [job for job, ours in zip(batch, done, strict=True) if ours]
            outcomes = [outcome for outcome, ours in zip(outcomes, done, strict=True) if ours]
        deliver(batch, outcomes)
        if self._waiting:
            self._loop.call_soon(self._turn)
