"""Manifests and indexes: what an image is made of, and which images an index offers.

Bytes are kept verbatim; what is read out of them is valid. Both OCI and Docker schema 2 forms are understood, and a
document that could be read as either an image or an index is refused.

Source: OCI image-spec 1.1, manifest.md and image-index.md; GHSA-77vh-xpmg-72qh (ambiguous documents).
"""

from __future__ import annotations

from hardtack.jsontext import dumps
from hardtack.oci import mediatypes
from hardtack.oci.descriptor import Descriptor
from hardtack.oci.digest import Digest
from hardtack.oci.errors import InvalidDescriptor, InvalidManifest, shown
from hardtack.oci.limits import CHILD_LIMIT, LAYER_LIMIT, field, load_object, string_map, text_field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Final

_KEYS = ("schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "artifactType", "annotations")
_BY_LOWER = {key.lower(): key for key in _KEYS}


class Manifest:
    """An image (or an artifact): a config and layers, bottom first."""

    __slots__ = (
        "annotations",
        "artifact_type",
        "config",
        "digest",
        "layers",
        "media_type",
        "raw",
        "subject",
    )
    raw: Final[bytes]
    media_type: Final[str]
    digest: Final[Digest]
    config: Final[Descriptor]
    layers: Final[tuple[Descriptor, ...]]
    subject: Final[Descriptor | None]
    artifact_type: Final[str]
    annotations: Final[dict[str, str]]

    def __init__(
        self,
        raw: bytes,
        media_type: str,
        digest: Digest,
        config: Descriptor,
        layers: tuple[Descriptor, ...],
        subject: Descriptor | None = None,
        artifact_type: str = "",
        annotations: dict[str, str] | None = None,
    ) -> None:
        self.raw = raw
        self.media_type = media_type
        self.digest = digest
        self.config = config
        self.layers = layers
        self.subject = subject
        self.artifact_type = artifact_type
        self.annotations = annotations or {}

    def children(self) -> tuple[Descriptor, ...]:
        """Everything that must be held for this manifest to be whole: the config and the layers."""
        return (self.config, *self.layers)


class Index:
    """Several manifests under one name, usually one per platform."""

    __slots__ = ("annotations", "artifact_type", "digest", "manifests", "media_type", "raw", "subject")
    raw: Final[bytes]
    media_type: Final[str]
    digest: Final[Digest]
    manifests: Final[tuple[Descriptor, ...]]
    subject: Final[Descriptor | None]
    artifact_type: Final[str]
    annotations: Final[dict[str, str]]

    def __init__(
        self,
        raw: bytes,
        media_type: str,
        digest: Digest,
        manifests: tuple[Descriptor, ...],
        subject: Descriptor | None = None,
        artifact_type: str = "",
        annotations: dict[str, str] | None = None,
    ) -> None:
        self.raw = raw
        self.media_type = media_type
        self.digest = digest
        self.manifests = manifests
        self.subject = subject
        self.artifact_type = artifact_type
        self.annotations = annotations or {}

    def children(self) -> tuple[Descriptor, ...]:
        """The manifests and indexes it offers."""
        return self.manifests


def parse_manifest(raw: bytes, media_type: str = "", digest: Digest | None = None) -> Manifest | Index:
    """Read the bytes of a manifest or an index.

    Args:
        raw: as they came; kept.
        media_type: what the transport called them (Content-Type); "" when it said nothing.
        digest: when the caller has verified it already; computed otherwise.
    Raises:
        InvalidManifest: too large, no JSON, wrong types, no known form, schema 1, two forms at once, or a media type
            inside that contradicts the one outside.
    """
    value = load_object(raw, InvalidManifest)
    _check_spelling(value)
    try:
        kind = _media_type(value, media_type.partition(";")[0].strip())
        name = Digest.of(raw) if digest is None else digest
        subject = value.get("subject")
        common = (
            None if subject is None else Descriptor.from_json(subject, "subject"),
            text_field(value, "artifactType", InvalidManifest, limit=255),
            string_map(value, "annotations", InvalidManifest),
        )
        if mediatypes.is_index(kind):
            return Index(raw, kind, name, _descriptors(value, "manifests", CHILD_LIMIT), *common)
        config = Descriptor.from_json(value.get("config"), "config")
        return Manifest(raw, kind, name, config, _descriptors(value, "layers", LAYER_LIMIT), *common)
    except InvalidDescriptor as error:
        raise InvalidManifest(error.reason, error.where) from None


def _check_spelling(value: dict[str, Any]) -> None:
    # Go reads keys without regard to case and so would see another document than we do.
    for key in value:
        known = _BY_LOWER.get(key.lower())
        if known is not None and known != key:
            raise InvalidManifest(f"{shown(key)} must be written {known}")


def _media_type(value: dict[str, Any], outside: str) -> str:
    inside = text_field(value, "mediaType", InvalidManifest, limit=255)
    if inside in (mediatypes.DOCKER_SCHEMA1, mediatypes.DOCKER_SCHEMA1_SIGNED) or "fsLayers" in value:
        raise InvalidManifest("Docker's schema 1 is not supported; push the image again with a newer client")
    if field(value, "schemaVersion", int, InvalidManifest) != 2:
        raise InvalidManifest("schemaVersion must be 2")
    if inside and outside and inside != outside:
        raise InvalidManifest(f"it calls itself {shown(inside)} and was sent as {shown(outside)}")
    image, index = "config" in value or "layers" in value, "manifests" in value
    if image and index:
        raise InvalidManifest("it has the fields of an image and of an index")
    if not image and not index:
        raise InvalidManifest("it has neither layers nor manifests")
    kind = inside or outside or (mediatypes.OCI_INDEX if index else mediatypes.OCI_MANIFEST)
    if not (mediatypes.is_index(kind) if index else mediatypes.is_manifest(kind)):
        raise InvalidManifest(f"its media type {shown(kind)} does not fit its fields")
    return kind


def _descriptors(value: dict[str, Any], key: str, limit: int) -> tuple[Descriptor, ...]:
    found = field(value, key, list, InvalidManifest) or []
    if len(found) > limit:
        raise InvalidManifest(f"{len(found)} {key}, more than {limit}")
    return tuple(Descriptor.from_json(item, f"{key}[{index}]") for index, item in enumerate(found))


def build_manifest(
    config: Descriptor,
    layers: Iterable[Descriptor],
    media_type: str = mediatypes.OCI_MANIFEST,
    subject: Descriptor | None = None,
    artifact_type: str = "",
    annotations: dict[str, str] | None = None,
) -> bytes:
    """Write an image manifest; the same arguments give the same bytes."""
    value: dict[str, Any] = {"schemaVersion": 2, "mediaType": media_type}
    if artifact_type:
        value["artifactType"] = artifact_type
    value["config"] = config.to_json()
    value["layers"] = [layer.to_json() for layer in layers]
    return _written(value, subject, annotations)


def build_index(
    manifests: Iterable[Descriptor],
    media_type: str = mediatypes.OCI_INDEX,
    subject: Descriptor | None = None,
    artifact_type: str = "",
    annotations: dict[str, str] | None = None,
) -> bytes:
    """Write an index; the same arguments give the same bytes."""
    value: dict[str, Any] = {"schemaVersion": 2, "mediaType": media_type}
    if artifact_type:
        value["artifactType"] = artifact_type
    value["manifests"] = [manifest.to_json() for manifest in manifests]
    return _written(value, subject, annotations)


def _written(value: dict[str, Any], subject: Descriptor | None, annotations: dict[str, str] | None) -> bytes:
    if subject is not None:
        value["subject"] = subject.to_json()
    if annotations:
        value["annotations"] = dict(sorted(annotations.items()))
    return dumps(value).encode()
