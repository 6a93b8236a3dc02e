"""Looking at the bytes of a blob, and marking it when they are gone or wrong."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from hardtack.oci.digest import Digest
from hardtack.registry.errors import BlobUnknown
from hardtack.registry.metadata import losing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hardtack.registry.blobs.interface import Blobs
    from hardtack.registry.metadata.database import Database

    Pace = Callable[[int], Awaitable[None]]
    """Is told how many bytes were read, and takes its time."""

GONE = "its bytes are gone"


async def size_of(blobs: Blobs, digest: str) -> int | None:
    """The size of a blob's bytes; None when there are none."""
    try:
        blob = await blobs.open(Digest(digest))
    except BlobUnknown:
        return None
    blob.close()
    return blob.size


async def wrong_with(blobs: Blobs, digest: str, pace: Pace | None = None) -> str:
    """What is wrong with the bytes of a blob, as a sentence; "" when nothing is.

    Raises:
        StorageBroken: they cannot be read just now.
    """
    named = Digest(digest)
    try:
        blob = await blobs.open(named)
    except BlobUnknown:
        return GONE
    running = hashlib.new(named.algorithm)
    try:
        async for chunk in blob.chunks(0, blob.size):
            await asyncio.to_thread(running.update, chunk)
            if pace is not None:
                await pace(len(chunk))
    finally:
        blob.close()
    actual = running.hexdigest()
    return "" if actual == named.hex else f"its bytes are {named.algorithm}:{actual}"


async def lose_missing(database: Database, blobs: Blobs, digest: str) -> bool:
    """Mark a blob as lost when its bytes are still gone. Returns whether it is marked."""

    async def gone() -> bool:
        return await size_of(blobs, digest) is None

    return await database.write(losing.lose, digest, GONE, losing.NEVER, database.now(), gone)


async def lose_wrong(database: Database, blobs: Blobs, digest: str, why: str, since: float) -> bool:
    """Set wrong bytes aside and mark the blob as lost, unless somebody pushed it since they were looked at.

    Args:
        since: when the look began.
    """

    async def set_aside() -> bool:
        await blobs.set_aside(Digest(digest))
        return True

    return await database.write(losing.lose, digest, why, since, database.now(), set_aside)
