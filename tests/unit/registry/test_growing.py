"""A blob on its way in: who reads it sees every byte once, in order, and the last one only when all is verified."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from hardtack.registry.errors import StorageBroken
from hardtack.registry.upstream.errors import UpstreamFailed
from hardtack.registry.upstream.growing import Growing, Reader

_SIZE = 10 << 20


class Stored:
    """A blob in the storage."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    async def chunks(self, start: int, count: int) -> AsyncIterator[bytes]:
        yield self.data[start : start + count]

    def close(self) -> None:
        pass


def _growing(data: bytes, peeks: bool = True) -> Growing:
    async def peek(start: int, count: int) -> bytes:
        return data[start : min(start + count, growing.received)] if peeks else b""

    async def whole() -> Stored:
        return Stored(data)

    growing = Growing(len(data), peek, whole)  # type: ignore[arg-type]
    return growing


async def _read(reader: Reader) -> bytes:
    try:
        return b"".join([chunk async for chunk in reader.chunks()])
    finally:
        reader.close()


async def _fill(growing: Growing, data: bytes, start: int = 0, step: int = 300_000) -> None:
    for position in range(start, len(data), step):
        await growing.arrived(position, data[position : position + step])
        await asyncio.sleep(0)


def _data(size: int = _SIZE) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("peeks", [True, False])
async def test_readers_of_any_range_get_it_whenever_they_come(peeks: bool) -> None:
    data = _data()
    growing = _growing(data, peeks)
    ranges = [(0, _SIZE), (0, 1), (5, 100), (_SIZE - 1, 1), (_SIZE // 2, _SIZE // 2)]
    tasks = []
    for part in range(0, _SIZE, _SIZE // 4):
        for start, count in ranges:
            reader = growing.reader(start, count)
            assert reader is not None
            tasks.append((start, count, asyncio.create_task(_read(reader))))
        await _fill(growing, data[: part + _SIZE // 4], part)
    growing.verified()
    for start, count, task in tasks:
        assert await task == data[start : start + count]


async def test_the_last_byte_waits_until_all_is_verified() -> None:
    data = _data(1000)
    growing = _growing(data)
    reader = growing.reader(0, 1000)
    assert reader is not None
    await growing.arrived(0, data)
    chunks = reader.chunks()
    assert await anext(chunks) == data[:-1]
    rest = asyncio.ensure_future(anext(chunks))
    await asyncio.sleep(0.01)
    assert not rest.done()
    growing.verified()
    assert await rest == data[-1:]


async def test_a_failure_reaches_those_who_read_and_those_who_come() -> None:
    growing = _growing(_data(1000))
    reader = growing.reader(0, 1000)
    assert reader is not None
    task = asyncio.create_task(_read(reader))
    await growing.arrived(0, b"x" * 1000)
    await asyncio.sleep(0)
    growing.failed(UpstreamFailed("x", "y"))
    with pytest.raises(UpstreamFailed):
        await task
    with pytest.raises(UpstreamFailed):
        await growing.began()
    assert growing.reader(0, 1) is None


async def test_an_empty_blob_begins_when_it_is_verified() -> None:
    growing = _growing(b"")
    task = asyncio.create_task(growing.began())
    await asyncio.sleep(0)
    assert not task.done()
    growing.verified()
    await task


async def test_a_fetch_that_begins_anew_repeats_nothing() -> None:
    data = _data()
    growing = _growing(data)
    reader = growing.reader(0, _SIZE)
    assert reader is not None
    task = asyncio.create_task(_read(reader))
    await _fill(growing, data[: _SIZE // 2])
    await _fill(growing, data)
    growing.verified()
    assert await task == data


async def test_without_storage_memory_is_bounded_and_readers_who_are_behind_hold_the_fetch() -> None:
    data = _data()
    growing = _growing(data, peeks=False)
    growing.give_up_keeping()
    reader = growing.reader(0, _SIZE)
    assert reader is not None
    filling = asyncio.create_task(_fill(growing, data))
    await asyncio.sleep(0.05)
    assert not filling.done()
    assert growing.received < 6 << 20
    other = growing.reader(0, 1)
    assert other is not None
    task = asyncio.create_task(_read(reader))
    await asyncio.sleep(0.05)
    assert not filling.done()  # the one who came for the first byte holds it now
    assert await _read(other) == data[:1]
    await filling
    growing.verified()
    assert await task == data


async def test_giving_up_to_store_in_the_middle_loses_nothing_for_those_who_wait() -> None:
    data = _data()
    growing = _growing(data, peeks=False)
    reader = growing.reader(0, _SIZE)
    assert reader is not None
    await _fill(growing, data[: 8 << 20])  # the first bytes are forgotten: the storage had them
    growing.give_up_keeping()
    task = asyncio.create_task(_read(reader))
    await _fill(growing, data)
    growing.verified()
    assert await task == data
    assert growing.reader(0, 1) is None


async def test_nobody_who_takes_nothing_holds_a_fetch_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardtack.registry.upstream.growing._PATIENCE", 0.05)
    data = _data()
    growing = _growing(data, peeks=False)
    growing.give_up_keeping()
    assert growing.reader(0, _SIZE) is not None
    with pytest.raises(StorageBroken):
        await _fill(growing, data)
