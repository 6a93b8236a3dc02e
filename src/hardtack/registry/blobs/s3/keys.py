"""Where a blob is in the bucket, and which blob a key is: the same layout as in the folder of files."""

from __future__ import annotations

from hardtack.oci.digest import LENGTHS, Digest

BLOBS = "blobs/"
ASIDE = "quarantine/"


def blob_key(digest: Digest) -> str:
    """The key of a blob, below the prefix."""
    digits = digest.hex
    return f"{BLOBS}{digest.algorithm}/{digits[:2]}/{digits}"


def digest_of(key: str) -> Digest | None:
    """The blob that a key is; None when it is none."""
    parts = key.split("/")
    if len(parts) != 4 or parts[1] not in LENGTHS or len(parts[3]) != LENGTHS[parts[1]] or parts[3][:2] != parts[2]:
        return None
    if parts[3].strip("0123456789abcdef"):
        return None
    return Digest(f"{parts[1]}:{parts[3]}")
