"""Images as registries hold them, made here and put into a `BadRegistry`."""

from __future__ import annotations

import gzip
import json
from typing import Any

from support.bad_registry import OCI_INDEX, OCI_MANIFEST, BadRegistry, sha256

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"


class Published:
    """An image in a registry.

    Attributes:
        digest: of its manifest; config: the digest of its config.
        layers: digests of its compressed layers, bottom first; diff_ids: of the tars in them.
        manifest: as a document.
    """

    def __init__(self, digest: str, config: str, layers: list[str], diff_ids: list[str], manifest: dict[str, Any]):
        self.digest = digest
        self.config = config
        self.layers = layers
        self.diff_ids = diff_ids
        self.manifest = manifest


def publish(
    registry: BadRegistry,
    name: str,
    tag: str,
    tars: list[bytes],
    architecture: str = "amd64",
    level: int = 1,
    diff_ids: list[str] | None = None,
    layer_fields: dict[str, Any] | None = None,
) -> Published:
    """Put an image of these layer tars under a tag.

    Args:
        level: of the compression; other levels give other blobs of the same tar.
        diff_ids: what the config claims, in place of the truth.
        layer_fields: more fields of every layer's descriptor.
    """
    true_ids = [sha256(tar) for tar in tars]
    document = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids or true_ids},
    }
    config = json.dumps(document).encode()
    blobs = [gzip.compress(tar, level, mtime=0) for tar in tars]
    layers = [
        {"mediaType": LAYER_TYPE, "digest": registry.add_blob(blob), "size": len(blob), **(layer_fields or {})}
        for blob in blobs
    ]
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": CONFIG_TYPE, "digest": registry.add_blob(config), "size": len(config)},
        "layers": layers,
    }
    digest = registry.add_manifest(name, tag, manifest)
    return Published(digest, sha256(config), [layer["digest"] for layer in layers], true_ids, manifest)


def publish_index(registry: BadRegistry, name: str, tag: str, images: dict[str, Published]) -> str:
    """Put an index over images, keyed by architecture, under a tag; returns its digest."""
    manifests = [
        {
            "mediaType": OCI_MANIFEST,
            "digest": image.digest,
            "size": len(registry.manifests[f"{name}:{image.digest}"][0]),
            "platform": {"os": "linux", "architecture": architecture},
        }
        for architecture, image in images.items()
    ]
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}
    return registry.add_manifest(name, tag, document, OCI_INDEX)
