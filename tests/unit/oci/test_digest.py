"""A digest that exists is well formed."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardtack.oci.digest import Digest, hasher
from hardtack.oci.errors import InvalidDigest

A64 = "a" * 64


def test_a_digest_equals_its_text_and_names_its_parts() -> None:
    digest = Digest("sha256:" + A64)
    assert digest == "sha256:" + A64
    assert (digest.algorithm, digest.hex, digest.short) == ("sha256", A64, "a" * 12)
    assert Digest(digest) is digest
    assert {digest: 1}["sha256:" + A64] == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        A64,
        "sha256:",
        "sha256:" + "a" * 63,
        "sha256:" + "a" * 65,
        "sha256:" + "A" * 64,
        "sha256:" + "g" * 64,
        "sha256:" + "a" * 63 + "\n",
        "sha256:" + "a" * 62 + "/.",
        "sha256:" + "é" * 64,
        "sha256:" + "٣" * 64,
        "sha512:" + A64,
        "sha1:" + "a" * 40,
        "md5:" + "a" * 32,
        "SHA256:" + A64,
        " sha256:" + A64,
        "sha256:../../" + "a" * 58,
        "x" * 100_000,
        None,
        7,
        b"sha256:" + A64.encode(),
    ],
)
def test_anything_else_is_refused_with_the_text_in_the_error(text: object) -> None:
    with pytest.raises(InvalidDigest) as caught:
        Digest(text)  # type: ignore[arg-type]
    assert str(caught.value).startswith("invalid digest ")
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


@given(st.binary(max_size=200), st.sampled_from(["sha256", "sha512"]))
def test_the_digest_of_bytes_is_what_hashlib_says(data: bytes, algorithm: str) -> None:
    digest = Digest.of(data, algorithm)
    assert digest.hex == hashlib.new(algorithm, data).hexdigest()
    assert Digest(str(digest)) == digest
    running = hasher(algorithm)
    running.update(data)
    assert running.hexdigest() == digest.hex


def test_an_unknown_algorithm_has_no_hasher() -> None:
    with pytest.raises(InvalidDigest):
        hasher("md5")
