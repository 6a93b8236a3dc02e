"""`/v2/<name>/referrers/<digest>`: what refers to a manifest, as an index; and the tag where older clients look for it.

Source: OCI distribution-spec 1.1, "Listing Referrers" and "Referrers Tag Schema".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from hardtack.oci.digest import Digest
from hardtack.oci.mediatypes import OCI_INDEX
from hardtack.registry.api.answers import reply
from hardtack.registry.api.digests import digest_of
from hardtack.registry.api.paging import PAGE_LIMIT, next_link, page_size

if TYPE_CHECKING:
    from aiohttp import web

    from hardtack.registry.metadata.rows import Referrer, StoredManifest
    from hardtack.registry.metadata.store import Metadata
    from hardtack.registry.service import Call

_BYTES = 4 << 20
_FALLBACK_TAG = re.compile(r"(sha256|sha512)-([0-9a-f]{64})")


async def listing(call: Call) -> web.StreamResponse:
    """List the referrers of a digest; an unknown one has none."""
    digest = digest_of(call.reference)
    artifact_type = call.parameter("artifactType") or ""
    limit = max(1, page_size(call.parameter("n")))  # an empty page would say that there are none
    found = await _found(call, digest, artifact_type, call.parameter("last") or "", limit + 1)
    page = _fitting(found[:limit])
    headers = {}
    filters = {}
    if artifact_type:
        headers["OCI-Filters-Applied"] = "artifactType"
        filters["artifactType"] = artifact_type
    if len(page) < len(found):
        path = f"/v2/{call.repository}/referrers/{digest}"
        headers["Link"] = next_link(path, limit, page[-1].digest, filters)
    return reply(200, headers, _index(page), OCI_INDEX)


async def _found(call: Call, digest: Digest, artifact_type: str, after: str, limit: int) -> list[Referrer]:
    """Referrers after one: of the upstream where the repository comes from one, else those held."""
    upstreams = call.service.upstreams
    there = None if upstreams is None else await upstreams.referrers(call.repository, digest)
    if there is None:
        return await call.service.metadata.referrers(call.repository, digest, artifact_type, after, limit)
    wanted = [one for one in there if one.digest > after and artifact_type in ("", one.artifact_type)]
    return wanted[:limit]


def _fitting(found: list[Referrer]) -> list[Referrer]:
    """As many as fit into an index that every client accepts, but one at least."""
    total = 0
    for count, referrer in enumerate(found):
        total += len(referrer.annotations) + len(referrer.artifact_type) + 300
        if total > _BYTES and count:
            return found[:count]
    return found


def _index(found: list[Referrer]) -> bytes:
    return msgspec.json.encode(
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [_descriptor(referrer) for referrer in found]}
    )


def _descriptor(referrer: Referrer) -> dict[str, Any]:
    descriptor: dict[str, Any] = {
        "mediaType": referrer.media_type,
        "digest": referrer.digest,
        "size": referrer.size,
    }
    if referrer.artifact_type:
        descriptor["artifactType"] = referrer.artifact_type
    if referrer.annotations:
        descriptor["annotations"] = msgspec.json.decode(referrer.annotations)
    return descriptor


async def behind_tag(metadata: Metadata, repository: str, tag: str) -> StoredManifest | None:
    """The referrers index that an older client looks for under a tag made of the digest.

    Returns:
        None when the tag is not of that form, or nothing refers to the digest.
    """
    from hardtack.registry.metadata.rows import StoredManifest

    match = _FALLBACK_TAG.fullmatch(tag)
    if match is None or match[1] != "sha256":  # a sha512 is cut in the tag, so it cannot be looked up
        return None
    found = await metadata.referrers(repository, f"{match[1]}:{match[2]}", limit=PAGE_LIMIT)
    if not found:
        return None
    raw = _index(_fitting(found))
    return StoredManifest(Digest.of(raw), OCI_INDEX, raw, "")
