"""The answer that carries a blob: by sendfile from a local file, so that its bytes never enter this process.

Small ones go out in one write with their headers. A client that takes nothing for too long is cut off.

Source: RFC 9110, section 14; sendfile(2).
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.abc import AbstractStreamWriter

    from hardtack.registry.blobs.interface import OpenBlob

_SMALL = 64 << 10
_PIECE = 8 << 20  # at least this much has to be taken within the idle time


class BlobResponse(web.StreamResponse):
    """Send a blob or a part of it, then close it.

    Args:
        part: first byte and length, or None for all.
        idle: seconds within which the client has to take the next 8 MiB.
    """

    _send_headers_immediately = False

    def __init__(self, blob: OpenBlob, part: tuple[int, int] | None, headers: Mapping[str, str], idle: float) -> None:
        super().__init__(status=200 if part is None else 206, headers=headers)
        self._blob = blob
        self._idle = idle
        self._sent = 0
        self._first, self._count = (0, blob.size) if part is None else part
        self.content_length = self._count
        self.headers["Content-Type"] = "application/octet-stream"
        if part is not None:
            self.headers["Content-Range"] = f"bytes {self._first}-{self._first + self._count - 1}/{blob.size}"

    @property
    def body_length(self) -> int:
        """Bytes that went out so far."""
        return self._sent

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send everything; called by the server once."""
        try:
            writer = await super().prepare(request)
            if writer is None or self._eof_sent:
                return writer
            descriptor = self._blob.descriptor()
            if descriptor is not None and self._count <= _SMALL:
                await writer.write(os.pread(descriptor, self._count, self._first))
                self._sent = self._count
            elif descriptor is not None and _is_plain(request.transport):
                writer.send_headers()
                await self._sendfile(request.transport, descriptor)
            else:
                async for chunk in self._blob.chunks(self._first, self._count):
                    async with asyncio.timeout(self._idle):
                        await writer.write(chunk)
                    self._sent += len(chunk)
            await super().write_eof()
            return writer
        finally:
            self._blob.close()

    async def _sendfile(self, transport: Any, descriptor: int) -> None:
        loop = asyncio.get_running_loop()
        end = self._first + self._count
        try:
            with open(descriptor, "rb", buffering=0, closefd=False) as file:
                for start in range(self._first, end, _PIECE):
                    size = min(_PIECE, end - start)
                    async with asyncio.timeout(self._idle):
                        if await loop.sendfile(transport, file, start, size) != size:
                            raise ConnectionResetError("the blob's file is shorter than it was")
                    self._sent += size
        except (TimeoutError, RuntimeError, ConnectionError) as error:
            # Headers are out, so cutting the connection is the only way to say that this is not all.
            transport.abort()
            raise ConnectionResetError(str(error)) from error


def _is_plain(transport: Any) -> bool:
    """Whether bytes that are written to the socket reach the client as they are."""
    return transport is not None and transport.get_extra_info("sslcontext") is None
