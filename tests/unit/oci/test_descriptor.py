"""Descriptors: what is read is typed and valid, what is written is read again."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from hardtack.oci.descriptor import Descriptor
from hardtack.oci.digest import Digest
from hardtack.oci.errors import InvalidDescriptor
from hardtack.oci.platform import Platform

DIGEST = "sha256:" + "0" * 64


def good(**more: object) -> dict[str, Any]:
    return {"mediaType": "application/x", "digest": DIGEST, "size": 3, **more}


def test_every_field_survives_being_written_and_read() -> None:
    data = b"{}"
    descriptor = Descriptor(
        "application/vnd.oci.empty.v1+json",
        Digest.of(data),
        2,
        Platform("linux", "arm", "v6"),
        {"b": "2", "a": "1"},
        ("https://example.com/blob",),
        "application/vnd.example",
        data,
    )
    value = descriptor.to_json()
    assert list(value) == ["mediaType", "digest", "size", "urls", "annotations", "data", "platform", "artifactType"]
    assert list(value["annotations"]) == ["a", "b"]
    again = Descriptor.from_json(value)
    assert again == descriptor
    assert again.to_json() == value
    assert again.data == data


def test_the_descriptor_of_bytes_has_their_size_and_digest() -> None:
    descriptor = Descriptor.of("text/plain", b"abc")
    assert (descriptor.size, descriptor.digest) == (3, Digest.of(b"abc"))
    assert descriptor.to_json() == {"mediaType": "text/plain", "digest": str(Digest.of(b"abc")), "size": 3}


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "text",
        {},
        good(size=None),
        good(size=-1),
        good(size=True),
        good(size=1.0),
        good(size="3"),
        good(size=1 << 63),
        good(digest=None),
        good(digest=7),
        good(digest="sha256:short"),
        good(digest={"algorithm": "sha256"}),
        good(mediaType=7),
        good(mediaType="x" * 300),
        good(annotations=[]),
        good(annotations={"a": 1}),
        good(annotations={"a": None}),
        good(annotations={str(n): "" for n in range(10_001)}),
        good(urls="https://example.com"),
        good(urls=[1]),
        good(platform=[]),
        good(platform={"os": 1}),
        good(artifactType={}),
        good(data=7),
        good(data="not base64!"),
        good(data=base64.b64encode(b"abc").decode()),
        good(digest=str(Digest.of(b"abc")), size=4, data=base64.b64encode(b"abc").decode()),
    ],
)
def test_missing_ill_typed_and_lying_fields_are_refused(value: object) -> None:
    with pytest.raises(InvalidDescriptor) as caught:
        Descriptor.from_json(value, "layers[3]")
    assert "layers[3]" in str(caught.value)


def test_fields_that_are_null_count_as_absent() -> None:
    descriptor = Descriptor.from_json(good(annotations=None, urls=None, platform=None, artifactType=None, data=None))
    assert descriptor.annotations == {}
    assert descriptor.platform is None
