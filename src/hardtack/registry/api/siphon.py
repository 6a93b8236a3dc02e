"""Large bodies of known length go from the socket to the disk inside the kernel, or out of TLS by way of a thread;
hashing reads them from the kernel's cache.

aiohttp is taken aside for the rest of the body: it stops reading, what it has read is written first, and afterwards
the connection is closed, since its parser did not see the bytes go by. Large blobs are few, so that costs nothing.
"""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import TYPE_CHECKING, Any

from hardtack.registry.api import bodies
from hardtack.registry.api.unsealing import Sealed
from hardtack.registry.errors import RegistryError
from hardtack.registry.sender import notes_of

if TYPE_CHECKING:
    from aiohttp import StreamReader, web

    from hardtack.registry.blobs.interface import Appender
    from hardtack.registry.blobs.splicing import Source
    from hardtack.registry.service import Call

_LARGE = 4 << 20
_STEP = 32 << 20
_UNPAUSED = 1 << 20  # aiohttp holds back nothing of a body before it has twice as much


async def drained(call: Call, appender: Appender, length: int | None) -> bool:
    """Append the whole body to an upload, if this way is open.

    Args:
        length: of the body, as far as the client said.
    Returns:
        Whether it was done; otherwise nothing was.
    Raises:
        ConnectionResetError: the client went away or stood still; what arrived is in the upload.
    """
    request = call.request
    transport: Any = request.transport
    if length is None or length < _LARGE or not call.service.blobs.can_splice or not _is_plain(request):
        return False
    early = _taken_so_far(request.content)
    transport.pause_reading()  # only now: taking what was read has it resumed; in between nothing more can arrive
    descriptor = os.dup(transport.get_extra_info("socket").fileno())
    sealed = Sealed.of(transport)
    try:
        bodies.go_on(request)
        if early:
            await appender.write(early)
        source: Source = descriptor
        if sealed is not None:
            await sealed.take_over()
            source = partial(sealed.into, descriptor)
        await _splice(appender, source, descriptor, length - len(early), call.service.limits.body_idle)
    except RegistryError:
        if sealed is not None:
            sealed.give_back()
        transport.resume_reading()  # so that aiohttp throws the rest away and the client hears what is wrong
        raise
    except BaseException:
        transport.abort()
        raise
    finally:
        os.close(descriptor)
    if sealed is not None:
        sealed.give_back()
    close_after(request)
    notes_of(request).spliced = length
    request.content.feed_eof()
    return True


def _taken_so_far(content: StreamReader) -> bytes:
    parts = []
    while data := content.read_nowait():
        parts.append(data)
    return b"".join(parts)


def close_after(request: web.BaseRequest) -> None:
    """Have the connection closed after this request's answer."""
    protocol: Any = request.protocol
    protocol.is_last = True


def _is_plain(request: web.BaseRequest) -> bool:
    """Whether the body is exactly what comes through the socket, or through TLS that can be taken over."""
    transport = request.transport
    content = request.content
    return (
        transport is not None
        and not transport.is_closing()
        and (transport.get_extra_info("sslcontext") is None or Sealed.of(transport) is not None)
        and transport.get_extra_info("socket") is not None
        and "Transfer-Encoding" not in request.headers
        and content.total_bytes <= _UNPAUSED
        and not content.is_eof()
        and hasattr(request.protocol, "is_last")
    )


async def _splice(appender: Appender, source: Source, descriptor: int, count: int, idle: float) -> None:
    while count:
        moved = await appender.splice(source, min(count, _STEP))
        if moved is None:
            raise ConnectionResetError("the client went away")
        count -= moved
        if count and not moved:
            try:
                async with asyncio.timeout(idle):
                    await _readable(descriptor)
            except TimeoutError:
                raise ConnectionResetError("the client sent nothing for too long") from None


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(descriptor, _tell, ready)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


def _tell(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
