"""What media types say."""

from __future__ import annotations

import pytest

from hardtack.oci import mediatypes as m


@pytest.mark.parametrize(
    ("media_type", "compression"),
    [
        (m.OCI_LAYER, ""),
        (m.OCI_LAYER_GZIP, "gzip"),
        (m.OCI_LAYER_ZSTD, "zstd"),
        (m.DOCKER_LAYER, ""),
        (m.DOCKER_LAYER_GZIP, "gzip"),
        (m.DOCKER_LAYER_ZSTD, "zstd"),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "gzip"),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", "zstd"),
    ],
)
def test_layers_say_how_they_are_compressed(media_type: str, compression: str) -> None:
    assert m.is_layer(media_type)
    assert m.compression_of(media_type) == compression
    assert m.is_foreign(media_type) == ("foreign" in media_type or "nondistributable" in media_type)


@pytest.mark.parametrize("media_type", ["", "application/json", "application/vnd.in-toto+json", m.OCI_CONFIG])
def test_other_things_are_no_layers(media_type: str) -> None:
    assert not m.is_layer(media_type)
    assert m.compression_of(media_type) == ""


def test_indexes_manifests_and_configs_are_told_apart() -> None:
    for media_type in m.INDEXES:
        assert (m.is_index(media_type), m.is_manifest(media_type), m.is_config(media_type)) == (True, False, False)
    for media_type in m.MANIFESTS:
        assert (m.is_index(media_type), m.is_manifest(media_type), m.is_config(media_type)) == (False, True, False)
    assert all(m.is_config(media_type) for media_type in m.CONFIGS)
