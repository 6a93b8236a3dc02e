"""Manifests and indexes: kept verbatim, read strictly, written the same every time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardtack.oci import mediatypes
from hardtack.oci.descriptor import Descriptor
from hardtack.oci.digest import Digest
from hardtack.oci.errors import InvalidManifest
from hardtack.oci.manifest import Index, Manifest, build_index, build_manifest, parse_manifest
from hardtack.oci.platform import Platform

CONFIG = Descriptor.of(mediatypes.OCI_CONFIG, b"{}")
LAYER = Descriptor.of(mediatypes.OCI_LAYER_GZIP, b"layer")
ENTRY = Descriptor(mediatypes.OCI_MANIFEST, Digest.of(b"m"), 1, Platform("linux", "amd64"))


def image(**more: object) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_MANIFEST,
        "config": CONFIG.to_json(),
        "layers": [LAYER.to_json()],
        **more,
    }


def index(**more: object) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": mediatypes.OCI_INDEX, "manifests": [ENTRY.to_json()], **more}


def raw(value: object) -> bytes:
    return json.dumps(value).encode()


def test_an_image_manifest_is_read_and_its_bytes_are_kept() -> None:
    text = raw(image(annotations={"a": "b"}, subject=ENTRY.to_json(), artifactType="application/x"))
    manifest = parse_manifest(text, mediatypes.OCI_MANIFEST)
    assert isinstance(manifest, Manifest)
    assert manifest.raw is text
    assert manifest.digest == Digest.of(text)
    assert (manifest.config, manifest.layers) == (CONFIG, (LAYER,))
    assert manifest.children() == (CONFIG, LAYER)
    assert manifest.subject == ENTRY
    assert (manifest.artifact_type, manifest.annotations) == ("application/x", {"a": "b"})


def test_an_index_is_read() -> None:
    found = parse_manifest(raw(index()))
    assert isinstance(found, Index)
    assert found.manifests == found.children() == (ENTRY,)
    assert found.manifests[0].platform == Platform("linux", "amd64")


@pytest.mark.parametrize(
    ("value", "outside", "kind"),
    [
        (image(), "", mediatypes.OCI_MANIFEST),
        (image(mediaType=None), "", mediatypes.OCI_MANIFEST),
        (image(mediaType=None), mediatypes.DOCKER_MANIFEST, mediatypes.DOCKER_MANIFEST),
        (image(mediaType=mediatypes.DOCKER_MANIFEST), mediatypes.DOCKER_MANIFEST, mediatypes.DOCKER_MANIFEST),
        (image(), mediatypes.OCI_MANIFEST + "; charset=utf-8", mediatypes.OCI_MANIFEST),
        (index(mediaType=None), "", mediatypes.OCI_INDEX),
        (index(mediaType=mediatypes.DOCKER_INDEX), "", mediatypes.DOCKER_INDEX),
        (index(mediaType=None), mediatypes.DOCKER_INDEX, mediatypes.DOCKER_INDEX),
    ],
)
def test_the_media_type_comes_from_inside_or_from_the_transport(value: object, outside: str, kind: str) -> None:
    assert parse_manifest(raw(value), outside).media_type == kind


@pytest.mark.parametrize(
    ("value", "outside", "reason"),
    [
        ([], "", "no JSON object"),
        ("text", "", "no JSON object"),
        (None, "", "no JSON object"),
        ({}, "", "schemaVersion"),
        (image(schemaVersion=1), "", "schemaVersion"),
        (image(schemaVersion="2"), "", "schemaVersion"),
        (image(schemaVersion=2.0), "", "schemaVersion"),
        (image(schemaVersion=True), "", "schemaVersion"),
        ({"schemaVersion": 1, "fsLayers": []}, "", "schema 1"),
        (image(mediaType=mediatypes.DOCKER_SCHEMA1_SIGNED), "", "schema 1"),
        (image(manifests=[]), "", "of an image and of an index"),
        (index(layers=[]), "", "of an image and of an index"),
        (index(config=CONFIG.to_json()), "", "of an image and of an index"),
        ({"schemaVersion": 2}, "", "neither layers nor manifests"),
        (image(), mediatypes.DOCKER_MANIFEST, "sent as"),
        (image(), mediatypes.OCI_INDEX, "sent as"),
        (image(mediaType=mediatypes.OCI_INDEX), "", "does not fit"),
        (index(mediaType=mediatypes.OCI_MANIFEST), "", "does not fit"),
        (image(mediaType="application/json"), "", "does not fit"),
        (image(mediaType=None), "text/html", "does not fit"),
        (image(mediaType=7), "", "mediaType"),
        (image(config=None), "", "config"),
        (image(config=[]), "", "config"),
        (image(layers={}), "", "layers must be a list"),
        (image(layers="x"), "", "layers must be a list"),
        (image(layers=[None]), "", "layers[0]"),
        (image(layers=[LAYER.to_json(), {"size": 1}]), "", "layers[1]"),
        (index(manifests=[7]), "", "manifests[0]"),
        (image(subject=7), "", "subject"),
        (image(annotations={"a": {}}), "", "annotations"),
        (image(artifactType=[]), "", "artifactType"),
        (image(Layers=[]), "", "must be written layers"),
        (image(MANIFESTS=[]), "", "must be written manifests"),
        (image(layers=[LAYER.to_json()] * 4097), "", "more than 4096"),
    ],
)
def test_what_could_be_misread_is_refused_with_a_reason(value: object, outside: str, reason: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        parse_manifest(raw(value), outside)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"{", "no JSON"),
        (b"{} {}", "no JSON"),
        (b'{"a": NaN}', "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "nested deeper"),
        (b'{"a": [' + b"1," * 300_000 + b"1]}", "more than 200000"),
        (b" " * ((4 << 20) + 1), "more than 4194304"),
    ],
)
def test_bombs_are_refused(text: bytes, reason: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        parse_manifest(text)
    assert reason in str(caught.value)


def test_what_is_built_is_read_back_and_the_same_arguments_give_the_same_bytes() -> None:
    first = build_manifest(CONFIG, [LAYER], annotations={"b": "2", "a": "1"}, subject=ENTRY, artifact_type="t/x")
    second = build_manifest(CONFIG, [LAYER], annotations={"a": "1", "b": "2"}, subject=ENTRY, artifact_type="t/x")
    assert first == second
    manifest = parse_manifest(first)
    assert isinstance(manifest, Manifest)
    assert (manifest.layers, manifest.subject, manifest.artifact_type) == ((LAYER,), ENTRY, "t/x")
    assert list(json.loads(first)) == [
        "schemaVersion",
        "mediaType",
        "artifactType",
        "config",
        "layers",
        "subject",
        "annotations",
    ]
    built = parse_manifest(build_index([ENTRY], mediatypes.DOCKER_INDEX))
    assert isinstance(built, Index)
    assert (built.manifests, built.media_type) == ((ENTRY,), mediatypes.DOCKER_INDEX)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
_fields = ["schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "artifactType", "annotations"]


@given(st.sampled_from([image(), index()]), st.sampled_from(_fields), _json)
def test_any_value_in_any_field_gives_a_manifest_or_a_refusal(base: dict[str, Any], key: str, value: object) -> None:
    try:
        parse_manifest(raw({**base, key: value}))
    except InvalidManifest:
        pass


@given(st.binary(max_size=100))
def test_any_bytes_give_a_refusal(text: bytes) -> None:
    with pytest.raises(InvalidManifest):
        parse_manifest(text)
