"""Indexes inside indexes: as far as they mean something they work, beyond that they cost nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hardtack.image.find import find
from hardtack.image.load import load
from hardtack.image.pull import pull
from hardtack.image.push import push
from hardtack.image.save import save
from hardtack.oci.reference import Reference
from hardtack.store.reference import set_reference
from hardtack.store.root import Root
from support.bad_registry import OCI_INDEX, OCI_MANIFEST, BadRegistry
from support.clients import client_of
from support.layouts import OCI, Layout
from support.published import publish, publish_index
from support.tars import files_tar


@pytest.fixture
def registry() -> Iterator[BadRegistry]:
    """A registry on loopback. Costs 1 ms, and up to 20 ms to stop."""
    with BadRegistry() as server:
        yield server


def index_of(*children: dict[str, Any]) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(children)}).encode()


@pytest.mark.timeout(30)
def test_an_archive_whose_indexes_name_each_other_many_times_is_read_once(root: Root, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    found = layout.image([files_tar({"a": b"a"})], list_it=False)
    for _ in range(3):  # 8,000,000,000 ways to the one image
        found = layout.blob(index_of(*[found] * 2000), f"{OCI}.index.v1+json")
    layout.list(found, "docker.io/a/b:1")
    (loaded,) = load(root, str(layout.path))
    assert find(root, "a/b:1").id == loaded.image_id


def test_an_image_in_an_index_in_an_index_is_pulled_shown_saved_and_pushed(root: Root, registry: BadRegistry) -> None:
    image = publish(registry, "a/b", "amd64", [files_tar({"a": b"a"})])
    gone = {"mediaType": OCI_MANIFEST, "digest": f"sha256:{'0' * 64}", "size": 7, "platform": {"os": "x"}}
    inner = publish_index(registry, "a/b", "inner", {"amd64": image})
    size = len(registry.manifests[f"a/b:{inner}"][0])
    outer = index_of({"mediaType": OCI_INDEX, "digest": inner, "size": size}, gone)
    registry.add_manifest("a/b", "1", outer, OCI_INDEX)
    name = Reference.parse(f"{registry.host}/a/b:1")
    pull(root, name, client=client_of(registry.host))
    assert find(root, str(name)).manifest.digest == image.digest
    out = io.BytesIO()
    save(root, [str(name)], out)
    assert load(root, io.BytesIO(out.getvalue()))[0].image_id == image.config
    with BadRegistry() as other:
        to = Reference.parse(f"{other.host}/c/d:1")
        with root.transaction() as db:
            set_reference(db, to, find(root, str(name)).digest)
        pushed = push(root, to, client=client_of(other.host))
        assert pushed[0].digest == image.digest  # the other platform is neither here nor there
