"""The body of a request, piece by piece; the one place that asks for it.

A client that says `Expect: 100-continue` sends nothing before it is told to, so a request that is refused at sight
costs no transfer.

Source: RFC 9110, section 10.1.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.errors import TooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web

_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


def exists(request: web.BaseRequest) -> bool:
    """Whether the request has a body of at least one byte, as far as its head tells."""
    return request.body_exists and request.content_length != 0


def go_on(request: web.BaseRequest) -> None:
    """Tell a client that waits to be told that it may send the body."""
    transport = request.transport
    if request.headers.get("Expect", "").lower() == "100-continue" and transport is not None:
        transport.write(_GO_ON)


async def chunks(request: web.BaseRequest) -> AsyncIterator[bytes]:
    """The body as it arrives."""
    go_on(request)
    content = request.content
    while chunk := await content.readany():
        yield chunk


async def whole(request: web.BaseRequest, limit: int) -> bytes:
    """All of a small body. Raises TooLarge."""
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks(request):
        size += len(chunk)
        if size > limit:
            raise TooLarge(limit)
        parts.append(chunk)
    return b"".join(parts)
