"""Threads for work that blocks, made for an event loop that asks for a lot of short work.

Handing over takes one put into a queue; what is done at about the same time wakes the loop once. The pools of the
standard library take several locks for each, and every lock is a chance to lose the interpreter to another thread.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    Work = tuple[Callable[..., Any], tuple[Any, ...], asyncio.Future[Any]]

T = TypeVar("T")


class Threads:
    """Threads of one event loop, started when there is work for them.

    Args:
        most: how many there may be.
        name: what they are called.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._work: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._done: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._threads: list[threading.Thread] = []
        self._busy = 0
        self._is_woken = False

    def run(self, work: Callable[..., T], *values: Any) -> asyncio.Future[T]:
        """Have something done; it is, whether or not anybody still waits for it. Called in the event loop."""
        done: asyncio.Future[T] = self._loop.create_future()
        self._busy += 1
        if self._busy > len(self._threads) and len(self._threads) < self._most:
            thread = threading.Thread(target=self._serve, name=f"{self._name}_{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._work.put((work, values, done))
        return done

    def close(self) -> None:
        """Finish what was asked for and end the threads. Blocking."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _serve(self) -> None:
        while (job := self._work.get()) is not None:
            work, values, done = job
            outcome, error = None, None
            try:
                outcome = work(*values)
            except BaseException as raised:  # noqa: BLE001 - whoever waits is told
                error = raised
            self._done.append((done, outcome, error))
            if not self._is_woken:
                self._is_woken = True
                self._wake()
            del job, work, values, done, outcome, error  # nothing of it is kept while waiting

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._tell)
        except RuntimeError:
            pass  # the loop is closed, and nobody waits any more

    def _tell(self) -> None:
        self._is_woken = False  # first: whoever saw it set has put something in, which is found below
        while self._done:
            done, outcome, error = self._done.popleft()
            self._busy -= 1
            if done.done():
                continue
            if error is None:
                done.set_result(outcome)
            else:
                done.set_exception(error)
