"""Threads for the event loop: everything handed over comes back, once, whatever it was and whoever still waits."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from hardtack.registry.threads import Threads


async def test_everything_comes_back_from_many_threads_at_once() -> None:
    threads = Threads(4, "test")
    try:
        for _ in range(20):
            assert await asyncio.gather(*(threads.run(lambda n: n * n, n) for n in range(200))) == [
                n * n for n in range(200)
            ]
    finally:
        threads.close()


async def test_no_more_threads_are_started_than_there_is_work_for() -> None:
    threads = Threads(8, "test-few")
    for _ in range(5):
        await threads.run(int)
    assert sum(thread.name.startswith("test-few") for thread in threading.enumerate()) == 1
    threads.close()
    assert not any(thread.name.startswith("test-few") for thread in threading.enumerate())


async def test_what_is_raised_is_raised_and_the_thread_goes_on() -> None:
    threads = Threads(1, "test")
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)
    assert await threads.run(lambda: 7) == 7
    threads.close()


async def test_work_is_done_when_nobody_waits_for_it_any_more() -> None:
    threads, done = Threads(1, "test"), threading.Event()

    def slow() -> None:
        time.sleep(0.05)
        done.set()

    task = asyncio.create_task(_wait(threads.run(slow)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    threads.close()
    assert done.is_set()


async def _wait(future: asyncio.Future[None]) -> None:
    await future
