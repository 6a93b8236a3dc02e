"""The bytes of one blob from an upstream, gone on with where they broke off.

Source: RFC 9110, section 14 (range requests).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from hardtack.registry.errors import BlobUnknown
from hardtack.registry.upstream.client import NotThere
from hardtack.registry.upstream.errors import UpstreamFailed, UpstreamLimited
from hardtack.remote.headers import parse_content_range

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    import aiohttp

    from hardtack.oci.digest import Digest
    from hardtack.registry.upstream.place import Place

log = logging.getLogger("hardtack.registry")

_ATTEMPTS = 4  # in a row that bring nothing
_FIRST_ATTEMPTS = 2  # as long as nothing has come at all, and a client could be told
_PAUSE = 0.2
_LONGEST = 5.0


async def downloaded(place: Place, digest: Digest, size: int) -> AsyncGenerator[tuple[int, bytes], None]:
    """Pieces of a blob with their positions, in order.

    Raises:
        BlobUnknown: the upstream has none.
        UpstreamError: it failed again and again, refuses, or sends another number of bytes.
    """
    position, idle = 0, 0
    while True:
        before = position
        try:
            headers = {"Range": f"bytes={position}-"} if position else {}
            async with place.client.ask("GET", place.name, f"blobs/{digest}", headers) as answer:
                async for chunk in _rest(place, answer, position, size):
                    yield position, chunk
                    position += len(chunk)
            if position == size:
                return
            raise UpstreamFailed(place.client.host, f"it sent {position:,} of {size:,} bytes of {digest} and closed")
        except NotThere:
            raise BlobUnknown(digest) from None
        except _Different as error:
            raise UpstreamFailed(place.client.host, str(error)) from None
        except (UpstreamFailed, UpstreamLimited) as error:
            idle = 0 if position > before else idle + 1
            wait = error.wait if isinstance(error, UpstreamLimited) else max(_PAUSE * 2**idle, place.client.pause())
            if idle >= (_ATTEMPTS if position else _FIRST_ATTEMPTS) or wait > 2 * _LONGEST:
                raise
            log.info("fetching %s of %s goes on at byte %d: %s", digest, place.repository, position, error)
        await asyncio.sleep(min(_LONGEST, wait))


class _Different(Exception):
    """What it sends cannot be the blob, however often it is asked."""


async def _rest(place: Place, answer: aiohttp.ClientResponse, position: int, size: int) -> AsyncIterator[bytes]:
    """What an answer has from a position on."""
    skip = position - _beginning(answer, size)
    if skip < 0:
        raise UpstreamFailed(place.client.host, "it sent another range than it was asked for")
    async for chunk in answer.content.iter_any():
        fresh = chunk[skip:] if skip else chunk
        skip -= len(chunk) - len(fresh)
        if len(fresh) > size - position:
            raise _Different(f"it sent more than the {size:,} bytes that the blob has")
        if fresh:
            position += len(fresh)
            yield fresh


def _beginning(answer: aiohttp.ClientResponse, size: int) -> int:
    if answer.status != 206:
        if answer.content_length is not None and answer.content_length != size:
            raise _Different(f"it announced {answer.content_length:,} bytes for a blob that has {size:,}")
        return 0
    found = parse_content_range(answer.headers.get("Content-Range", ""))
    if found is None or found[2] not in (None, size):
        raise _Different("it sent a range that is none of the blob's")
    return found[0]
