"""The body of one answer of the store, taken in pieces; whoever stops early closes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hardtack.registry.blobs.s3.failures import translated
from hardtack.registry.errors import StorageBroken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

_CHUNK = 256 << 10


class Stream:
    """Bytes on their way.

    Attributes:
        start: where in the object the first of them is.
        count: how many come.
        total: the size of the whole object.
    """

    def __init__(self, answer: Mapping[str, Any], start: int, count: int | None) -> None:
        self._body = answer["Body"]
        self.start = start
        self.count = int(answer["ContentLength"])
        self.total = self.count
        if count is not None:
            span = str(answer.get("ContentRange", ""))
            whole = span.rpartition("/")[2]
            # A store, or a proxy before it, that ignores Range would otherwise have the wrong bytes served.
            if self.count != count or not span.startswith(f"bytes {start}-") or not whole.isdigit():
                self.close()
                raise StorageBroken("cannot read an object: the object store sent another range than it was asked for")
            self.total = int(whole)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes.

        Raises:
            StorageBroken: the store broke off.
        """
        left = self.count
        try:
            while left:
                async with translated("read an object"):
                    chunk = await self._body.read(_CHUNK)
                if not chunk:
                    raise StorageBroken("cannot read an object: the object store broke off")
                left -= len(chunk)
                yield chunk
        finally:
            # Read to its end, the connection is free for the next request; otherwise it cannot be used again.
            if left:
                self.close()

    async def rest(self) -> bytes:
        """All of it, when it fits into memory."""
        return b"".join([chunk async for chunk in self.chunks()])

    def close(self) -> None:
        """Stop."""
        self._body.close()
