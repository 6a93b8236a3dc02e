"""From pieces to the blob: the store copies them into one object, which is there whole or not at all.

It is called when the digest is known to be right. Whoever dies in the middle leaves a note beside the pieces, by which
the unfinished object is thrown away together with them; the next one begins anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from hardtack.registry.blobs.s3.failures import Absent
from hardtack.registry.blobs.s3.plan import plan
from hardtack.registry.errors import RegistryError, StorageBroken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from hardtack.registry.blobs.s3.bucket import Bucket
    from hardtack.registry.blobs.s3.plan import Part, Span

T = TypeVar("T")
R = TypeVar("R")

SMALL = 8 << 20
"""Up to here a blob made of several pieces is written in one request."""

_TOGETHER = 12  # copies cost us nothing; a client, and what is between, waits for the last of them
_GATHERED = 2  # parts that pass through our memory
_AT_ONCE = 256 << 20  # what a store copies in one request within the time that we wait; its own limit is 5 GiB


class Assembly:
    """The making of one blob.

    Args:
        folder: where the upload's objects are, ending in a slash.
        sources: keys and sizes of its pieces.
        rest: bytes that follow them.
        target: the blob's key.
    """

    def __init__(
        self, bucket: Bucket, folder: str, sources: Sequence[tuple[str, int]], rest: bytes, target: str
    ) -> None:
        self._bucket = bucket
        self._folder = folder
        self._sources = sources
        self._rest = rest
        self._target = target
        self._size = sum(size for _, size in sources) + len(rest)
        self._room = asyncio.Semaphore(_GATHERED)

    async def make(self) -> str:
        """Do it.

        Returns:
            The key of a note that was left, or "".
        Raises:
            Absent: a piece is gone, so the upload is.
            StorageFull, StorageBroken.
        """
        if not self._sources:
            await self._bucket.put(self._target, self._rest)
        elif len(self._sources) == 1 and not self._rest:
            await self._bucket.copy(self._sources[0][0], self._target)
        elif await self._bucket.size(self._target) == self._size:
            pass  # pushed before
        elif self._size <= SMALL:
            sizes = [size for _, size in self._sources]
            pieces = [await self._bucket.read(key) for key, _ in self._sources]
            if [len(piece) for piece in pieces] != sizes:
                raise StorageBroken("cannot put a blob together: a piece has another size than it was listed with")
            await self._bucket.put(self._target, b"".join(pieces) + self._rest)
        else:
            return await self._from_parts()
        return ""

    async def _from_parts(self) -> str:
        assembly = await self._bucket.assemble(self._target)
        note = f"{self._folder}assembly.{secrets.token_hex(8)}"
        try:
            await self._bucket.put(note, json.dumps({"key": self._target, "assembly": assembly}).encode())
            sizes = [size for _, size in self._sources]
            parts = list(enumerate(plan([*sizes, len(self._rest)] if self._rest else sizes), 1))

            async def made(numbered: tuple[int, Part]) -> str:
                return await self._part(assembly, *numbered)

            tags = await spread(made, parts, _TOGETHER)
            await self._complete(assembly, tags)
        except BaseException:
            await self._bucket.abort(self._target, assembly)
            raise
        return note

    async def _part(self, assembly: str, number: int, part: Part) -> str:
        first = part[0]
        if len(part) == 1 and first.source < len(self._sources):
            key, size = self._sources[first.source]
            span = None if first.count == size else (first.start, first.count)
            return await self._bucket.copy_part(self._target, assembly, number, key, span)
        async with self._room:
            data = b"".join([await self._bytes(span) for span in part])
            return await self._bucket.put_part(self._target, assembly, number, data)

    async def _bytes(self, span: Span) -> bytes:
        if span.source == len(self._sources):
            return self._rest[span.start : span.start + span.count]
        return await self._bucket.read(self._sources[span.source][0], span.start, span.count)

    async def _complete(self, assembly: str, tags: Sequence[str]) -> None:
        try:
            await self._bucket.complete(self._target, assembly, tags)
        except Absent:
            pass  # a repeated request whose first answer was lost, or somebody else was quicker: the size tells
        if await self._bucket.size(self._target) != self._size:
            raise StorageBroken("cannot put a blob together: the object store made something else of its parts")


async def copied(bucket: Bucket, source: str, target: str) -> None:
    """Have the store copy an object of any size. Raises Absent."""
    size = await bucket.size(source)
    if size is None:
        raise Absent(source)
    if size <= _AT_ONCE:
        await bucket.copy(source, target)
        return
    assembly = await bucket.assemble(target)

    async def made(start: int) -> str:
        span = (start, min(_AT_ONCE, size - start))
        return await bucket.copy_part(target, assembly, start // _AT_ONCE + 1, source, span)

    try:
        await bucket.complete(target, assembly, await spread(made, range(0, size, _AT_ONCE), _TOGETHER))
    except BaseException:
        await bucket.abort(target, assembly)
        raise


async def forget(bucket: Bucket, notes: Sequence[str]) -> None:
    """Throw away the unfinished objects that notes tell of."""
    for note in notes:
        with contextlib.suppress(Absent, RegistryError, ValueError, KeyError, TypeError):
            told = json.loads(await bucket.read(note, 0, None))
            await bucket.abort(str(told["key"]), str(told["assembly"]))


async def spread(work: Callable[[T], Awaitable[R]], items: Sequence[T], width: int) -> list[R]:
    """Do something for each item, several at a time. The first failure ends the others and is raised."""
    results: dict[int, R] = {}
    left = deque(enumerate(items))

    async def take_turns() -> None:
        while left:
            place, item = left.popleft()
            results[place] = await work(item)

    tasks = [asyncio.create_task(take_turns()) for _ in range(min(width, len(items)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [results[place] for place in range(len(items))]


async def ahead(bucket: Bucket, sources: Sequence[tuple[str, int]], room: int) -> AsyncIterator[bytes]:
    """Read pieces one after another, the next ones already under way while one is used.

    Args:
        room: bytes to have in memory at most, beyond one piece.
    """
    under_way: deque[tuple[asyncio.Task[bytes], int]] = deque()
    held = 0
    left = deque(sources)
    try:
        while left or under_way:
            while left and (not under_way or held + left[0][1] <= room):
                key, size = left.popleft()
                under_way.append((asyncio.create_task(bucket.read(key)), size))
                held += size
            task, size = under_way[0]
            data = await task
            under_way.popleft()
            held -= size
            if len(data) != size:
                raise StorageBroken("cannot read an upload: a piece has another size than it was listed with")
            yield data
    finally:
        for task, _ in under_way:
            task.cancel()
