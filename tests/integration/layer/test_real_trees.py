"""Real root file systems: every driver shows exactly what GNU tar unpacks."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hardtack.oci.mediatypes import OCI_LAYER_GZIP
from hardtack.store.layer import LayerStore
from hardtack.store.layer.apply import Apply
from hardtack.store.layer.writer import Layer
from hardtack.store.lease import Lease
from support.layouts import python_layout
from support.tars import busybox_tar, debian_tar
from support.trees import Facts, differences, hard_links, snapshot

_UNTAR = ["tar", "--xattrs", "--xattrs-include=*", "--numeric-owner", "--delay-directory-restore", "-xpf"]


def untar(tar: Path, into: Path) -> Path:
    into.mkdir()
    subprocess.run([*_UNTAR, str(tar), "-C", str(into)], check=True)
    return into


@pytest.fixture(scope="session")
def debian(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[bytes, Facts], list[list[bytes]]]:
    """What GNU tar makes of the Debian root. Costs 3 s, 220 MB, once per worker."""
    path = untar(debian_tar(), tmp_path_factory.mktemp("debian") / "root")
    return snapshot(path), hard_links(path)


def test_debian_is_what_gnu_tar_makes_of_it(
    layers: LayerStore,
    lease: Lease,
    tree_of: Callable[[Layer], str],
    debian: tuple[dict[bytes, Facts], list[list[bytes]]],
) -> None:
    with layers.writer(None) as writer, open(debian_tar(), "rb") as file:
        while chunk := file.read(1 << 20):
            writer.write(chunk)
        layer = writer.commit(lease)
    tree = tree_of(layer)
    assert differences(snapshot(tree), debian[0]) == []
    assert hard_links(tree) == debian[1]
    assert sum(1 for _ in layers.listing(layer.diff_id)) >= len(debian[0])


def test_layers_of_a_genuine_image_are_what_gnu_tar_makes_of_them(
    layers: LayerStore, lease: Lease, tree_of: Callable[[Layer], str], tmp_path: Path
) -> None:
    layout = python_layout()
    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads((layout / "blobs/sha256" / index["manifests"][0]["digest"][7:]).read_text())
    for number, descriptor in enumerate(manifest["layers"]):
        blob = layout / "blobs/sha256" / descriptor["digest"][7:]
        apply = Apply(layers, OCI_LAYER_GZIP, None)
        with open(blob, "rb") as file:
            while chunk := file.read(200_000):
                apply.feed(chunk)
        layer = apply.finish(lease)
        tar = gzip.decompress(blob.read_bytes())
        assert layer.diff_id == f"sha256:{hashlib.sha256(tar).hexdigest()}"
        (tmp_path / "layer.tar").write_bytes(tar)
        expected = untar(tmp_path / "layer.tar", tmp_path / f"untarred{number}")
        found, wanted = snapshot(tree_of(layer)), snapshot(expected)
        _forget_implied(found, wanted, layers, layer)
        assert differences(found, wanted) == []


def test_busybox_is_what_gnu_tar_makes_of_it(
    store_tar: Callable[[bytes], Layer], tree_of: Callable[[Layer], str], tmp_path: Path
) -> None:
    tar = tmp_path / "busybox.tar"
    tar.write_bytes(busybox_tar())
    found, wanted = snapshot(tree_of(store_tar(busybox_tar()))), snapshot(untar(tar, tmp_path / "untarred"))
    found.pop(b"."), wanted.pop(b".")
    assert differences(found, wanted) == []


def _forget_implied(found: dict[bytes, Facts], wanted: dict[bytes, Facts], layers: LayerStore, layer: Layer) -> None:
    """Directories without a member get the time of the unpacking from tar, none from us; whiteouts are not tar's."""
    named = {member.path for member in layers.listing(layer.diff_id) if member.kind == "d"}
    for path in list(wanted):
        if path == b"." or (wanted[path]["mode"].startswith("0o4") and path not in named):
            found.pop(path), wanted.pop(path)
    assert not any(b".wh." in path for path in wanted), "an image with whiteouts: compare it otherwise"
