"""Compressed layers on their way in: every compression, every cut, every lie."""

from __future__ import annotations

import gzip
import os
import threading
import zlib
from collections.abc import Callable

import pytest

from hardtack.oci.digest import Digest
from hardtack.oci.mediatypes import DOCKER_LAYER_GZIP, OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD
from hardtack.store.layer import LayerStore
from hardtack.store.layer.apply import Apply
from hardtack.store.layer.decompress import _zstd
from hardtack.store.layer.errors import (
    BadCompression,
    BadTar,
    DiffMismatch,
    LayerTooLarge,
    TruncatedTar,
    UnsupportedLayer,
)
from hardtack.store.layer.member import Limits
from hardtack.store.lease import Lease
from hardtack.store.root import Root
from support.rawtar import file, tar

SMALL = tar(file(b"a", b"1" * 3000), file(b"b", os.urandom(3000)))
LARGE = tar(*(file(b"%d" % n, os.urandom(200_000) + bytes(300_000)) for n in range(12)))


def members(data: bytes) -> bytes:
    """Several gzip members one after another, with zeros behind them."""
    return b"".join(gzip.compress(data[i : i + 100_000]) for i in range(0, len(data), 100_000)) + bytes(100)


def frames(data: bytes) -> bytes:
    """zstd frames with a skippable one between them."""
    zstd = _zstd()
    half = len(data) // 2
    skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc"
    return bytes(skippable + zstd.compress(data[:half]) + skippable + zstd.compress(data[half:]))


WAYS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": (OCI_LAYER_GZIP, gzip.compress),
    "docker's gzip": (DOCKER_LAYER_GZIP, gzip.compress),
    "gzip in members": (OCI_LAYER_GZIP, members),
    "zstd": (OCI_LAYER_ZSTD, lambda data: bytes(_zstd().compress(data))),
    "zstd in frames": (OCI_LAYER_ZSTD, frames),
    "plain": (OCI_LAYER, bytes),
    "plain that says gzip": (OCI_LAYER_GZIP, bytes),
    "gzip that says nothing": ("", gzip.compress),
}


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("way", WAYS)
def test_a_layer_comes_out_of_every_compression(
    way: str, data: bytes, layers: LayerStore, root: Root, lease: Lease
) -> None:
    media_type, compress = WAYS[way]
    apply = Apply(layers, media_type, Digest.of(data))
    compressed = compress(data)
    for start in range(0, len(compressed), 77_777):
        apply.feed(memoryview(compressed)[start : start + 77_777])
    layer = apply.finish(lease)
    assert layer.diff_id == Digest.of(data) and layers.has(layer.diff_id)
    assert no_leftovers(root)


def flip(z: bytes) -> bytes:
    middle = len(z) // 2
    return z[:middle] + bytes([z[middle] ^ 255]) + z[middle + 1 :]


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], type[Exception] | tuple[type[Exception], ...]]] = {
    "half": (lambda z: z[: len(z) // 2], TruncatedTar),
    "a byte short": (lambda z: z[:-1], TruncatedTar),
    "three bytes": (lambda z: z[:3], TruncatedTar),
    "a byte changed": (flip, (BadCompression, BadTar, DiffMismatch)),
    "a wrong sum": (lambda z: z[:-8] + bytes(4) + z[-4:], BadCompression),
    "garbage behind": (lambda z: z + b"more", BadCompression),
    "padding and garbage": (lambda z: z + bytes(100) + b"more", BadCompression),
    "half a member behind": (lambda z: z + z[:8], TruncatedTar),
    "garbage in the tar": (lambda z: gzip.compress(gzip.decompress(z) + b"x" * 512), BadTar),
    "another tar": (lambda z: gzip.compress(gzip.decompress(z) + bytes(512)), DiffMismatch),
    "no archive": (lambda z: b"no archive at all" * 1000, BadTar),
}


def no_leftovers(root: Root) -> bool:
    threads = [t.name for t in threading.enumerate() if t.name.startswith("layer-")]
    return not threads and not [n for n in os.listdir(f"{root.path}/layers") if n.startswith(".")]


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_stream_is_refused_and_leaves_nothing(
    data: bytes,
    damage: str,
    layers: LayerStore,
    root: Root,
) -> None:
    spoil, error = DAMAGES[damage]
    compressed = spoil(gzip.compress(data))
    apply = Apply(layers, OCI_LAYER_GZIP, Digest.of(data))
    with pytest.raises(error):
        for start in range(0, len(compressed), 50_000):
            apply.feed(compressed[start : start + 50_000])
        apply.finish(None)
    apply.abort()
    assert no_leftovers(root)


def test_a_zstd_stream_that_ends_early_is_refused(layers: LayerStore, root: Root) -> None:
    for data in (SMALL, LARGE):
        compressed = bytes(_zstd().compress(data))
        apply = Apply(layers, OCI_LAYER_ZSTD, None)
        with pytest.raises(TruncatedTar):
            apply.feed(compressed[:-5])
            apply.finish(None)
    assert no_leftovers(root)


def test_a_bomb_stops_at_the_limit(layers: LayerStore, root: Root) -> None:
    zeros = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = zeros.compress(tar(file(b"zeros", bytes(64 << 20)))) + zeros.flush()
    apply = Apply(layers, OCI_LAYER_GZIP, None, Limits(tar_bytes=8 << 20))
    with pytest.raises(LayerTooLarge):
        apply.feed(bomb)
        apply.finish(None)
    assert no_leftovers(root)
    free = os.statvfs(root.path)
    assert free.f_bavail > 0


def test_something_that_is_no_layer_is_named(layers: LayerStore, root: Root) -> None:
    with pytest.raises(UnsupportedLayer, match="encrypted"):
        Apply(layers, "application/vnd.oci.image.layer.v1.tar+gzip+encrypted", None)
    assert no_leftovers(root)


def test_an_abort_in_the_middle_stops_the_threads(layers: LayerStore, root: Root) -> None:
    apply = Apply(layers, OCI_LAYER_GZIP, Digest.of(LARGE))
    compressed = gzip.compress(LARGE, 1)
    apply.feed(compressed[: len(compressed) // 2])
    apply.abort()
    apply.abort()
    assert no_leftovers(root)
