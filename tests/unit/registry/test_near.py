"""Short changes in the event loop: in order, durable when they must be, elsewhere when that is not their place."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hardtack.registry.metadata.script import short
from hardtack.registry.metadata.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script


def _add(digest: str) -> Script[str]:
    yield "INSERT INTO content (digest, body) VALUES (?, x'00')", (digest,)
    return threading.current_thread().name


@short
def quick(digest: str) -> Script[str]:
    return (yield from _add(digest))


@short
def endless(digest: str) -> Script[str]:
    for _ in range(1000):
        yield "SELECT 1", ()
    return (yield from _add(digest))


def slow(digest: str) -> Script[str]:
    return (yield from _add(digest))


def stored() -> Script[list[str]]:
    return [digest for (digest,) in (yield "SELECT digest FROM content ORDER BY rowid", ())]


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteDatabase]:
    database = SqliteDatabase(str(path / "registry.db"))
    try:
        yield database
    finally:
        await database.close()


@contextmanager
def somebody_writing(path: Path) -> Iterator[None]:
    descriptor = os.open(path / "registry.db-queue", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


HERE, THERE = threading.main_thread().name, "registry-writer"


async def test_a_short_change_runs_in_the_event_loop_and_others_in_the_thread(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        assert await database.write(quick, "a") == HERE
        assert await database.note(quick, "b") == HERE
        assert await database.write(slow, "c") == THERE
        assert await database.read(stored) == ["a", "b", "c"]


async def test_one_that_turns_out_to_be_long_is_done_by_the_thread_and_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        assert await database.write(endless, "a") == THERE
        assert await database.read(stored) == ["a"]


async def test_changes_happen_in_the_order_in_which_they_were_asked_for(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        scripts = [quick, slow, quick, quick, slow, quick, quick, slow] * 5
        await asyncio.gather(*(database.note(script, f"{n:02}") for n, script in enumerate(scripts)))
        assert await database.read(stored) == [f"{n:02}" for n in range(40)]


async def test_the_loop_does_not_wait_for_another_process_that_writes(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        with somebody_writing(tmp_path):
            task = asyncio.create_task(database.write(quick, "a"))
            for _ in range(20):
                await asyncio.sleep(0.002)
            assert not task.done()
            assert await database.read(stored) == []
        assert await task == THERE
        assert await database.write(quick, "b") == HERE


async def test_a_database_that_is_locked_without_the_file_of_the_queue_is_waited_for_too(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        other = sqlite3.connect(tmp_path / "registry.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        task = asyncio.create_task(database.write(quick, "a"))
        await asyncio.sleep(0.05)
        other.execute("COMMIT")
        other.close()
        assert await task == THERE


async def test_nothing_is_seen_before_it_is_committed_and_what_is_refused_takes_nothing_along(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        outcomes = await asyncio.gather(
            database.write(quick, "a"), database.write(quick, "a"), database.write(quick, "b"), return_exceptions=True
        )
        assert [isinstance(outcome, Exception) for outcome in outcomes] == [False, True, False]
        assert await database.read(stored) == ["a", "b"]


async def test_the_log_does_not_grow_for_ever_when_nothing_needs_to_be_durable(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        for number in range(3000):
            await database.note(quick, str(number))
        assert (tmp_path / "registry.db-wal").stat().st_size < 20 << 20


async def test_what_waits_when_the_database_is_closed_is_done_before(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        tasks = [asyncio.create_task(database.write(quick, str(number))) for number in range(100)]
        await asyncio.sleep(0)
    assert all([await task for task in tasks])
    async with opened(tmp_path) as database:
        assert len(await database.read(stored)) == 100
