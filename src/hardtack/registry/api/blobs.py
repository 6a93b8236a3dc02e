"""`/v2/<name>/blobs/<digest>`: blobs out, whole or in part, and their removal.

Whether a caller gets one is decided by the links of the repository in the path, never by who knows a digest.

Source: OCI distribution-spec 1.1, "Pulling blobs", "Deleting Blobs"; RFC 9110, sections 13 and 14.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from hardtack.registry.access import Action
from hardtack.registry.api import ranges
from hardtack.registry.api.answers import VERSION_HEADERS, reply
from hardtack.registry.api.digests import digest_of
from hardtack.registry.api.sending import BlobResponse
from hardtack.registry.errors import BlobUnknown, RegistryError, RepositoryUnknown
from hardtack.registry.loss import lose_missing
from hardtack.registry.upstream.sending import ArrivingResponse

if TYPE_CHECKING:
    from aiohttp import web

    from hardtack.oci.digest import Digest
    from hardtack.registry.blobs.interface import OpenBlob
    from hardtack.registry.service import Call
    from hardtack.registry.upstream.blobs import Offer


def _headers(digest: Digest) -> dict[str, str]:
    # A digest names the same bytes for ever; "private" since the next caller may not be allowed to see them.
    return {
        "Docker-Content-Digest": str(digest),
        "ETag": f'"{digest}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=31536000",
    }


async def get(call: Call) -> web.StreamResponse:
    """Serve a blob, a range of it, or (HEAD) what it would be."""
    digest = digest_of(call.reference)
    if call.request.method == "HEAD" and call.may(Action.PUSH) and not call.service.read_only:
        # This is how a push asks what it can leave out: from now on it counts on the answer.
        await call.service.metadata.renew_link(call.repository, digest, call.service.limits.grace / 2)
    size, offer = await _held(call, digest)
    headers = _headers(digest)
    asked = call.request.headers
    if (wanted := asked.get("If-None-Match")) is not None and ranges.matches(wanted, headers["ETag"]):
        return reply(304, headers)
    if call.request.method == "HEAD":
        return _head(headers, size)
    part = None
    if (wanted := asked.get("Range")) is not None and asked.get("If-Range", headers["ETag"]) == headers["ETag"]:
        try:
            part = ranges.requested(wanted, size)
        except ranges.Unsatisfiable:
            return reply(416, {**headers, "Content-Range": f"bytes */{size}"})
    if offer is not None and (reader := await offer.begin(*(part or (0, size)))) is not None:
        return ArrivingResponse(reader, part is not None, {**VERSION_HEADERS, **headers}, call.service.limits.body_idle)
    blob = await _opened(call, digest, part)
    if location := blob.location():
        blob.close()
        return reply(307, {"Location": location, "Docker-Content-Digest": str(digest)})
    return BlobResponse(blob, part, {**VERSION_HEADERS, **headers}, call.service.limits.body_idle)


async def _opened(call: Call, digest: Digest, part: tuple[int, int] | None) -> OpenBlob:
    try:
        return await call.service.blobs.open(digest, part)
    except BlobUnknown:
        # Linked to, and gone from the storage: from now on HEAD says so too, and clients push it again.
        if not call.service.read_only:
            with contextlib.suppress(RegistryError):
                await lose_missing(call.service.database, call.service.blobs, digest)
        raise


def _head(headers: dict[str, str], size: int) -> web.Response:
    answer = reply(200, headers)
    answer.headers["Content-Length"] = str(size)
    answer.headers["Content-Type"] = "application/octet-stream"
    return answer


async def _held(call: Call, digest: Digest) -> tuple[int, Offer | None]:
    """The size of a blob, and where it is to be had when that is not here. Raises BlobUnknown, RepositoryUnknown."""
    upstreams = call.service.upstreams
    if upstreams is not None and await call.service.metadata.blob_size(call.repository, digest) is None:
        offer = await upstreams.blob(call.repository, digest)
        if offer is not None:
            return offer.size, offer
    return await _linked(call, digest), None


async def _linked(call: Call, digest: Digest) -> int:
    metadata = call.service.metadata
    size = await metadata.blob_size(call.repository, digest)
    if size is None:
        if not await metadata.has_repository(call.repository):
            raise RepositoryUnknown(call.repository)
        raise BlobUnknown(digest)
    return size


async def delete(call: Call) -> web.StreamResponse:
    """Unlink a blob from the repository; the collector frees its space when no other one links to it."""
    digest = digest_of(call.reference)
    if not await call.service.metadata.delete_blob(call.repository, digest):
        await _linked(call, digest)
    return reply(202)
