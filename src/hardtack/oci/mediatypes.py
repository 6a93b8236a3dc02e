"""The media types of images, and what they say: index or manifest, layer or not, how compressed.

Source: OCI image-spec 1.1, media-types.md; Docker "Image Manifest Version 2, Schema 2".
"""

from __future__ import annotations

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
_OCI_FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar"

DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_LAYER_ZSTD = "application/vnd.docker.image.rootfs.diff.tar.zstd"
_DOCKER_FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar"

DOCKER_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
DOCKER_SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"

INDEXES = (OCI_INDEX, DOCKER_INDEX)
MANIFESTS = (OCI_MANIFEST, DOCKER_MANIFEST)
CONFIGS = (OCI_CONFIG, DOCKER_CONFIG)
ACCEPT = (*MANIFESTS, *INDEXES)  # what a client of a registry asks for

_COMPRESSION = {
    OCI_LAYER: "",
    OCI_LAYER_GZIP: "gzip",
    OCI_LAYER_ZSTD: "zstd",
    _OCI_FOREIGN: "",
    _OCI_FOREIGN + "+gzip": "gzip",
    _OCI_FOREIGN + "+zstd": "zstd",
    DOCKER_LAYER: "",
    DOCKER_LAYER_GZIP: "gzip",
    DOCKER_LAYER_ZSTD: "zstd",
    _DOCKER_FOREIGN: "",
    _DOCKER_FOREIGN + ".gzip": "gzip",
}


def is_index(media_type: str) -> bool:
    """An OCI index or a Docker manifest list."""
    return media_type in INDEXES


def is_manifest(media_type: str) -> bool:
    """An image manifest, OCI or Docker schema 2 (not an index)."""
    return media_type in MANIFESTS


def is_config(media_type: str) -> bool:
    """An image configuration, OCI or Docker."""
    return media_type in CONFIGS


def is_layer(media_type: str) -> bool:
    """A filesystem layer that a driver can read; artifacts carry other things in the same place."""
    return media_type in _COMPRESSION


def is_foreign(media_type: str) -> bool:
    """A layer that is fetched from its own URLs and not pushed ("non-distributable")."""
    return media_type.startswith((_OCI_FOREIGN, _DOCKER_FOREIGN))


def compression_of(media_type: str) -> str:
    """`gzip`, `zstd`, or "" for a plain tar and for what is no layer."""
    return _COMPRESSION.get(media_type, "")
