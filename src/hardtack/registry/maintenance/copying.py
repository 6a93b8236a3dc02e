"""Blobs from one storage into another, each verified on its way, several at a time, none twice.

A blob that the target has already was verified when it came. What cannot be read, or is not what its name says, is
told at the end; the others are copied nevertheless.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hardtack.oci.digest import Digest
from hardtack.registry.blobs.files import FileBlobs
from hardtack.registry.errors import BlobUnknown, DigestInvalid, StorageFull
from hardtack.registry.maintenance.errors import NoRoom

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hardtack.progress import Progress
    from hardtack.registry.blobs.interface import Blobs, OpenBlob
    from hardtack.registry.metadata.database import Database
    from hardtack.registry.metadata.script import Script

_AT_ONCE = 4
_PAGE = 1000
_BLOBS = "blobs"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A blob that has to be in a copy; one that is not `needed` was on its way in, and may have no bytes yet."""

    digest: str
    size: int
    needed: bool


@dataclass(slots=True)
class Copied:
    """What has become of some blobs.

    Attributes:
        damaged: digest and what is wrong.
    """

    blobs: int = 0
    size: int = 0
    there: int = 0
    damaged: list[tuple[str, str]] = field(default_factory=list)


def wanted_after(digest: str) -> Script[list[tuple[str, int, int]]]:
    """Blobs after one, with their sizes and whether anything needs them; without those that are known to be lost."""
    return (
        yield (
            "SELECT b.digest, b.size, CASE WHEN b.idle IS NULL THEN 1 ELSE 0 END FROM blob b WHERE b.digest > ?"
            " AND NOT EXISTS (SELECT 1 FROM lost x WHERE x.digest = b.digest) ORDER BY b.digest LIMIT ?",
            (digest, _PAGE),
        )
    )


async def wanted(database: Database) -> AsyncIterator[Wanted]:
    """The blobs that a copy of a registry has to have, in the order of their digests."""
    after = ""
    while page := await database.browse(wanted_after, after):
        for digest, size, needed in page:
            yield Wanted(digest, size, bool(needed))
        after = page[-1][0]


class Held:
    """What a storage has, asked for in the order of digests: its listing is read once, beside the questions."""

    def __init__(self, blobs: Blobs) -> None:
        self._listing = aiter(blobs.listing())
        self._at: tuple[str, int] | None = ("", 0)

    async def size(self, digest: str) -> int | None:
        """The size of a blob; None when it was not there as the listing passed its place."""
        while self._at is not None and self._at[0] < digest:
            self._at = await anext(self._listing, None)
        return self._at[1] if self._at is not None and self._at[0] == digest else None


class Copier:
    """Copies blobs.

    Args:
        link: the target may share a file with the source.
        where: the target, for people.
        progress: is told of what arrives.
    """

    def __init__(self, source: Blobs, target: Blobs, link: bool, where: str, progress: Progress) -> None:
        self._source = source
        self._target = target
        self._link = link
        self._where = where
        self._progress = progress
        self.outcome = Copied()

    async def copy(self, blobs: AsyncIterator[Wanted]) -> Copied:
        """Copy all of them.

        Raises:
            NoRoom, StorageBroken: as soon as a blob cannot be written.
        """
        running: set[asyncio.Task[None]] = set()
        self._progress.begin(_BLOBS, "Copying")
        held = Held(self._target)
        try:
            async for blob in blobs:
                if await held.size(blob.digest) == blob.size:
                    self.outcome.there += 1
                    continue
                if len(running) >= _AT_ONCE:
                    done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
                running.add(asyncio.create_task(self._one(blob)))
            for task in list(running):
                await task
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        self._progress.finish(_BLOBS, "Copied")
        return self.outcome

    async def _one(self, blob: Wanted) -> None:
        digest = Digest(blob.digest)
        try:
            source = await self._source.open(digest)
        except BlobUnknown:
            if blob.needed:
                self.outcome.damaged.append((digest, "its bytes are gone"))
            return
        try:
            size = await self._transfer(source, digest)
            self.outcome.size += size
            self.outcome.blobs += 1
            self._progress.advance(_BLOBS, size)
        except DigestInvalid:
            self.outcome.damaged.append((digest, "its bytes are others than its digest says"))
        except StorageFull:
            raise NoRoom(self._where) from None
        finally:
            source.close()

    async def _transfer(self, source: OpenBlob, digest: Digest) -> int:
        descriptor = source.descriptor()
        if descriptor is not None and isinstance(self._target, FileBlobs):
            taken = await self._target.adopt(descriptor, digest, self._link)
            if taken:
                return source.size
        return await take_in(self._target, digest, source.chunks(0, source.size))


async def take_in(target: Blobs, digest: Digest, chunks: AsyncIterator[bytes]) -> int:
    """Put a blob into a storage. Returns its size.

    Raises:
        DigestInvalid: it is another one; StorageFull, StorageBroken.
    """
    upload = str(uuid.uuid4())
    await target.begin(upload)
    try:
        async with target.append(upload, 0, digest.algorithm) as appender:
            async for chunk in chunks:
                await appender.write(chunk)
            return await appender.publish(digest)
    except BaseException:
        await target.discard(upload)
        raise
