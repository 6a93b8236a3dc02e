"""Manifests and indexes as they are pushed: refused with a reason, or kept in a form that every database can hold."""

from __future__ import annotations

import json

from fuzz.harness import DIGEST, Harness, can_be_told
from hardtack.oci.digest import Digest
from hardtack.oci.errors import InvalidManifest
from hardtack.oci.manifest import Index, build_index, build_manifest, parse_manifest
from hardtack.oci.mediatypes import DOCKER_MANIFEST, OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST
from hardtack.registry.api.manifests import described
from hardtack.registry.errors import ManifestInvalid, RegistryError

_TYPES = ("", OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, "text/plain; charset=x", "application/json")


def manifest(data: bytes) -> None:
    """The first byte chooses the Content-Type, the others are the document."""
    content_type, raw = _TYPES[data[0] % len(_TYPES)] if data else "", data[1:]
    digest = Digest.of(raw)
    try:
        meaning = parse_manifest(raw, content_type, digest)
        kept = described(meaning, digest)
    except InvalidManifest as error:
        can_be_told(ManifestInvalid(error.message))
        return
    except RegistryError as error:
        can_be_told(error)
        return
    document = json.loads(raw)
    assert kept.raw == raw
    assert kept.digest == digest
    assert ("manifests" in document) == isinstance(meaning, Index)
    for text in (kept.media_type, kept.artifact_type, kept.subject, kept.annotations):
        text.encode()
        assert "\0" not in text
    assert len(kept.artifact_type) <= 255
    if kept.annotations:
        assert json.loads(kept.annotations) == document["annotations"]
    listed = (
        document.get("manifests")
        if isinstance(meaning, Index)
        else [document["config"], *(document.get("layers") or ())]
    )
    assert [child.digest for child in kept.children] == [entry["digest"] for entry in listed or ()]
    _survives(meaning)


def _survives(meaning: object) -> None:
    """Written again by us it means the same. Half a surrogate pair, where nobody keeps it, cannot be written."""
    if b"\\ud" in meaning.raw.lower():  # type: ignore[attr-defined]
        return
    build = build_index if isinstance(meaning, Index) else build_manifest
    parts = (meaning.manifests,) if isinstance(meaning, Index) else (meaning.config, meaning.layers)  # type: ignore[attr-defined]
    others = (meaning.media_type, meaning.subject, meaning.artifact_type, meaning.annotations)  # type: ignore[attr-defined]
    again = parse_manifest(build(*parts, *others))
    assert (again.children(), again.subject, again.artifact_type) == (meaning.children(), *others[1:3])  # type: ignore[attr-defined]


_CHILD = {"mediaType": OCI_LAYER_GZIP, "digest": DIGEST, "size": 1}
_IMAGE = {
    "schemaVersion": 2,
    "mediaType": OCI_MANIFEST,
    "config": {**_CHILD, "mediaType": OCI_CONFIG},
    "layers": [_CHILD],
}
_SUBJECT = {**_CHILD, "mediaType": OCI_MANIFEST}


def _seed(document: object, kind: int = 0) -> bytes:
    return bytes([kind]) + json.dumps(document).encode()


HARNESSES = {
    "manifest": Harness(
        manifest,
        (
            _seed(_IMAGE),
            _seed({"schemaVersion": 2, "manifests": [_SUBJECT]}, 2),
            _seed({**_IMAGE, "subject": _SUBJECT, "artifactType": "a/b", "annotations": {"a": "b"}}),
            _seed({**_IMAGE, "subject": _SUBJECT, "annotations": {"a": "\ud800"}}),
            _seed({**_IMAGE, "artifactType": "\ud800"}),
            _seed({**_IMAGE, "artifactType": "a\0b"}),
            _seed({**_IMAGE, "config": {**_CHILD, "mediaType": "\ud800"}}),
            _seed({**_IMAGE, "mediaType": "\ud800"}),
            _seed({**_IMAGE, "manifests": []}),
            _seed({**_IMAGE, "Layers": []}),
            _seed({**_IMAGE, "config": {**_CHILD, "digest": "\ud800"}}),
            _seed({**_IMAGE, "layers": None, "config": {**_CHILD, "data": "AA=="}}),
            _seed({"schemaVersion": 2, "fsLayers": []}),
            b"\0" + b"[" * 5000,
            b"\0" + b'{"schemaVersion":2,"config":{"size":1e400}}',
            b"\0\xef\xbb\xbf{}",
        ),
    ),
}
