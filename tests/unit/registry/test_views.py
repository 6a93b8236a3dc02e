"""Instructions and layers are paired in order, whatever a config says."""

from __future__ import annotations

import itertools
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hardtack.oci.descriptor import Descriptor
from hardtack.oci.digest import Digest
from hardtack.oci.manifest import Index, Manifest, build_index, build_manifest, parse_manifest
from hardtack.oci.mediatypes import OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST
from hardtack.oci.platform import Platform
from hardtack.registry.web import views


def image(sizes: list[int], config: Any) -> tuple[Manifest, bytes]:
    raw = config if isinstance(config, bytes) else json.dumps(config).encode()
    layers = [Descriptor(OCI_LAYER_GZIP, Digest.of(str(n).encode()), size) for n, size in enumerate(sizes)]
    parsed = parse_manifest(build_manifest(Descriptor.of(OCI_CONFIG, raw), layers))
    assert isinstance(parsed, Manifest)
    return parsed, raw


def config(*history: tuple[str, bool], layers: int = 0) -> dict[str, Any]:
    return {
        "os": "linux",
        "architecture": "arm64",
        "rootfs": {"type": "layers", "diff_ids": [Digest.of(bytes([n])) for n in range(layers)]},
        "history": [{"created_by": text, "empty_layer": empty} for text, empty in history],
    }


def test_empty_instructions_take_no_layer() -> None:
    manifest, raw = image([10, 30], config(("ADD a /", False), ("ENV A=1", True), ("RUN make", False)))
    view = views.image_view(manifest, raw)
    assert [(step.keyword, step.size) for step in view.steps] == [("ADD", 10), ("ENV", 0), ("RUN", 30)]
    assert view.platform == "linux/arm64"
    assert view.layers == 2


def test_layers_beyond_the_history_come_at_the_end_and_history_beyond_the_layers_has_none() -> None:
    manifest, raw = image([1, 2], config(("ADD a /", False)))
    assert [step.size for step in views.image_view(manifest, raw).steps] == [1, 2]
    manifest, raw = image([1], config(("ADD a /", False), ("RUN b", False)))
    assert [step.is_layer for step in views.image_view(manifest, raw).steps] == [True, False]


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**12), max_size=40))
def test_the_picture_of_the_layers_is_whole_and_shows_each(sizes: list[int]) -> None:
    slices = views.image_view(*image(sizes, config())).slices
    if not sum(sizes):
        assert slices == ()
        return
    assert len(slices) == len(sizes)
    assert abs(sum(piece.width for piece in slices) - 1000) < 1
    assert all(piece.width > 0 for piece in slices)
    assert all(abs(a.start + a.width - b.start) < 0.1 for a, b in itertools.pairwise(slices))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = ("config", "history", "rootfs", "created", "os", "architecture", "variant")


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), ANYTHING, max_size=7))
def test_no_config_breaks_a_page(value: dict[str, Any]) -> None:
    manifest, raw = image([5], value)
    views.image_view(manifest, raw)
    views.platform_of(manifest, raw)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(("Env", "Cmd", "Labels", "ExposedPorts", "User", "Healthcheck", "Volumes")), ANYTHING
    )
)
def test_no_run_config_breaks_a_page(value: dict[str, Any]) -> None:
    views.image_view(*image([5], config(layers=1) | {"config": value}))


def test_the_preferred_image_of_an_index_is_amd64_and_never_an_attestation() -> None:
    def entry(number: int, architecture: str, **annotations: str) -> Descriptor:
        platform = Platform("linux", architecture)
        return Descriptor(OCI_MANIFEST, Digest.of(bytes([number])), 9, platform, dict(annotations))

    attestation = {"vnd.docker.reference.type": "attestation-manifest"}
    entries = [entry(0, "amd64", **attestation), entry(1, "arm64"), entry(2, "amd64")]
    index = parse_manifest(build_index(entries))
    assert isinstance(index, Index)
    found = views.platforms(index)
    shown = views.preferred(found)
    assert shown is not None
    assert shown.digest == Digest.of(b"\x02")
    assert found[-1].is_attestation
    assert views.preferred(found[-1:]) is None
