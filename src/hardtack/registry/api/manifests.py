"""`/v2/<name>/manifests/<tag or digest>`: manifests in and out, byte for byte, and their removal.

Source: OCI distribution-spec 1.1, "Pulling manifests", "Pushing Manifests", "Deleting Manifests".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hardtack.oci import mediatypes
from hardtack.oci.digest import Digest
from hardtack.oci.errors import InvalidManifest
from hardtack.oci.manifest import Index, Manifest
from hardtack.registry.access import Action
from hardtack.registry.api import bodies, ranges, referrers
from hardtack.registry.api.answers import reply
from hardtack.registry.api.digests import digest_of
from hardtack.registry.errors import (
    DigestInvalid,
    ManifestInvalid,
    ManifestTooLarge,
    ManifestUnknown,
    RepositoryUnknown,
    TagInvalid,
)
from hardtack.registry.metadata.rows import Child, NewManifest, StoredManifest
from hardtack.registry.names import check_tag, is_tag
from hardtack.registry.parsing import parsed

if TYPE_CHECKING:
    from aiohttp import web

    from hardtack.registry.service import Call

_TAG_PARAMETERS = 100


def headers_of(digest: str) -> dict[str, str]:
    """The headers that a stored manifest is served with."""
    return {"Docker-Content-Digest": digest, "ETag": f'"{digest}"'}


async def get(call: Call) -> web.StreamResponse:
    """Serve a manifest."""
    found, stale = await _found(call)
    headers = headers_of(found.digest)
    if stale:
        headers["Warning"] = '110 hardtack "the upstream cannot be asked; this is what it had"'
    wanted = call.request.headers.get("If-None-Match")
    if wanted is not None and ranges.matches(wanted, headers["ETag"]):
        return reply(304, headers)
    if call.request.method == "GET":
        call.service.pulls.count(call.repository, call.reference, found.digest)
    return reply(200, headers, found.raw, found.media_type)


async def _found(call: Call) -> tuple[StoredManifest, bool]:
    """The manifest that a request names, and whether it may be out of date.

    Raises:
        DigestInvalid, ManifestUnknown, RepositoryUnknown, UpstreamError.
    """
    reference = call.reference
    if ":" in reference:
        reference = digest_of(reference)
    elif not is_tag(reference):
        raise ManifestUnknown(reference)
    metadata, upstreams = call.service.metadata, call.service.upstreams
    served = None if upstreams is None else await upstreams.manifest(call.repository, reference)
    if served is not None:
        return served.manifest, served.stale
    found = await metadata.manifest(call.repository, reference)
    if found is None and ":" not in reference:
        found = await referrers.behind_tag(metadata, call.repository, reference)
    if found is None:
        if not await metadata.has_repository(call.repository):
            raise RepositoryUnknown(call.repository)
        raise ManifestUnknown(reference)
    return found, False


async def put(call: Call) -> web.StreamResponse:
    """Take in a manifest under a tag, or under its digest with any number of tags."""
    raw = await _body(call)
    digest, tags = _names(call, raw)
    meaning = await _meaning(raw, call.request.headers.get("Content-Type", ""), digest)
    manifest = described(meaning, digest, call.service.limits.sparse_images)

    def guard(tag: str, before: str | None) -> None:
        del tag
        action = Action.TAG_CREATE if before is None else Action.TAG_UPDATE
        if before != digest and not call.may(action):
            raise call.refusal(action)

    await call.service.metadata.put_manifest(call.repository, manifest, tags, call.caller.name, guard)
    headers = {"Location": f"/v2/{call.repository}/manifests/{digest}", "Docker-Content-Digest": str(digest)}
    if manifest.subject:
        headers["OCI-Subject"] = manifest.subject
    if ":" in call.reference and tags:
        headers["OCI-Tag"] = ", ".join(tags)
    return reply(201, headers)


async def _body(call: Call) -> bytes:
    limit = call.service.limits.manifest
    if (call.request.content_length or 0) > limit:
        raise ManifestTooLarge(limit)
    parts: list[bytes] = []
    size = 0
    async for chunk in bodies.chunks(call.request):
        size += len(chunk)
        if size > limit:
            raise ManifestTooLarge(limit)
        parts.append(chunk)
    return b"".join(parts)


def _names(call: Call, raw: bytes) -> tuple[Digest, list[str]]:
    """The digest that the bytes have, and the tags that are to point at it."""
    if ":" not in call.reference:
        return Digest.of(raw), [check_tag(call.reference)]
    digest = digest_of(call.reference)
    if Digest.of(raw, digest.algorithm) != digest:
        raise DigestInvalid("the manifest does not have the digest that was given", {"given": digest})
    tags = [check_tag(tag) for tag in call.parameters().get("tag", ())]
    if len(tags) > _TAG_PARAMETERS:
        raise TagInvalid(tags[_TAG_PARAMETERS])
    return digest, list(dict.fromkeys(tags))


async def _meaning(raw: bytes, content_type: str, digest: Digest) -> Manifest | Index:
    media_type = content_type.partition(";")[0].strip()
    if media_type in ("application/json", "application/octet-stream"):
        media_type = ""  # what tools say that say nothing
    try:
        return await parsed(raw, media_type, digest)
    except InvalidManifest as error:
        raise ManifestInvalid(error.message) from None


def described(meaning: Manifest | Index, digest: Digest, sparse_images: bool = False) -> NewManifest:
    """What the metadata keep of a manifest.

    Args:
        sparse_images: accept images whose layers are not there. Indexes may always lack some of their images, since
            people copy only the platforms they need.
    Raises:
        ManifestInvalid: text in it that is no Unicode, or that no database takes.
    """
    if isinstance(meaning, Index):
        children = tuple(Child(child.digest, "manifest", False) for child in meaning.manifests)
        artifact_type = meaning.artifact_type
    else:
        layers = [
            Child(layer.digest, "layer", not (sparse_images or layer.urls or mediatypes.is_foreign(layer.media_type)))
            for layer in meaning.layers
        ]
        children = (Child(meaning.config.digest, "config", not sparse_images), *layers)
        artifact_type = meaning.artifact_type or meaning.config.media_type
    if not artifact_type.isprintable():
        raise ManifestInvalid("its artifact type has characters that cannot be kept")
    subject = "" if meaning.subject is None else str(meaning.subject.digest)
    annotations = _kept(meaning.annotations) if subject and meaning.annotations else ""
    return NewManifest(digest, meaning.media_type, meaning.raw, artifact_type, subject, annotations, children)


def _kept(annotations: dict[str, str]) -> str:
    try:
        return msgspec.json.encode(annotations).decode()
    except UnicodeEncodeError:  # JSON can write half of a surrogate pair; nobody can keep it
        raise ManifestInvalid("its annotations are no Unicode text") from None


def deletion(reference: str) -> Action:
    """The right that deleting this reference needs."""
    return Action.DELETE if ":" in reference else Action.TAG_DELETE


async def delete(call: Call) -> web.StreamResponse:
    """Delete a tag, or a manifest with all its tags and the links to blobs that only it needed."""
    metadata, who = call.service.metadata, call.caller.name
    if ":" in call.reference:
        digest = digest_of(call.reference)
        keep = call.service.config.retention.undelete > 0
        gone = await metadata.delete_manifest(call.repository, digest, who, call.service.limits.grace, keep)
    else:
        gone = is_tag(call.reference) and await metadata.delete_tag(call.repository, call.reference, who)
    if not gone:
        if not await metadata.has_repository(call.repository):
            raise RepositoryUnknown(call.repository)
        raise ManifestUnknown(call.reference)
    return reply(202)
