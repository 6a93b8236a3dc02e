"""The answer that carries a blob while it arrives.

Its length is known and the last byte comes only when all was verified. So cutting the connection is how a client
learns that the fetch failed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from hardtack.registry.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.abc import AbstractStreamWriter

    from hardtack.registry.upstream.growing import Reader


class ArrivingResponse(web.StreamResponse):
    """Send a range of a growing blob, then close the reader.

    Args:
        is_part: the client asked for a range.
        idle: seconds within which the client has to take what is sent.
    """

    def __init__(self, reader: Reader, is_part: bool, headers: Mapping[str, str], idle: float) -> None:
        super().__init__(status=206 if is_part else 200, headers=headers)
        self._reader = reader
        self._idle = idle
        self._first = reader.position
        self.content_length = reader.end - reader.position
        self.headers["Content-Type"] = "application/octet-stream"
        if is_part:
            self.headers["Content-Range"] = f"bytes {reader.position}-{reader.end - 1}/{reader.size}"

    @property
    def body_length(self) -> int:
        """Bytes that went out so far."""
        return self._reader.position - self._first

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send everything; called by the server once."""
        try:
            writer = await super().prepare(request)
            if writer is None or self._eof_sent:
                return writer
            async for chunk in self._reader.chunks():
                async with asyncio.timeout(self._idle):
                    await writer.write(chunk)
            await super().write_eof()
            return writer
        except (RegistryError, TimeoutError) as error:
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError(str(error)) from error
        finally:
            self._reader.close()
