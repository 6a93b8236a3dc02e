"""Reading manifests without holding up the event loop: small ones at once, large ones in a thread.

A manifest may have four mebibytes, and reading that much JSON takes as long as answering a thousand requests.
"""

from __future__ import annotations

import asyncio

from hardtack.oci.digest import Digest
from hardtack.oci.manifest import Index, Manifest, parse_manifest

_AT_ONCE = 64 << 10


async def parsed(raw: bytes, media_type: str, digest: Digest) -> Manifest | Index:
    """The meaning of a manifest's bytes.

    Args:
        media_type: what the transport called them, or "".
        digest: which they have.
    Raises:
        InvalidManifest: they have none.
    """
    if len(raw) <= _AT_ONCE:
        return parse_manifest(raw, media_type, digest)
    return await asyncio.to_thread(parse_manifest, raw, media_type, digest)
