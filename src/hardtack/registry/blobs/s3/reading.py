"""A blob about to be sent: an address for the client, or its bytes, taken up again where the store broke off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.blobs.s3.failures import Absent
from hardtack.registry.errors import StorageBroken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hardtack.registry.blobs.s3.bucket import Bucket
    from hardtack.registry.blobs.s3.stream import Stream

_ATTEMPTS = 4


class S3Blob:
    """See `blobs.interface.OpenBlob`.

    Args:
        location: where the client finds it by itself, or "".
        stream: bytes that are on their way already, if any are.
    """

    def __init__(self, bucket: Bucket, key: str, size: int, location: str = "", stream: Stream | None = None) -> None:
        self._bucket = bucket
        self._key = key
        self._location = location
        self._stream = stream
        self.size = size

    def descriptor(self) -> int | None:
        return None

    def location(self) -> str:
        return self._location

    async def chunks(self, start: int, count: int) -> AsyncIterator[bytes]:
        end = start + count
        attempts = _ATTEMPTS
        while start < end:
            try:
                stream = await self._from(start, end - start)
            except Absent:
                raise StorageBroken("a blob that was being read is gone from the object store") from None
            try:
                async for chunk in stream.chunks():
                    piece = chunk[: end - start]
                    start += len(piece)
                    attempts = _ATTEMPTS
                    yield piece
                    if start == end:
                        return
            except StorageBroken:
                attempts -= 1
                if not attempts:
                    raise
            finally:
                self.close()

    async def _from(self, start: int, count: int) -> Stream:
        stream = self._stream
        if stream is None or stream.start != start or stream.count < count:
            self.close()
            self._stream = stream = await self._bucket.get(self._key, start, count)
        return stream

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
