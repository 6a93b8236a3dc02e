"""Layers on the real kernel, once with each driver."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hardtack.linux import mount as mounts
from hardtack.store.layer import LayerStore
from hardtack.store.layer import layers as layers_module
from hardtack.store.layer.mounting import mount_layer
from hardtack.store.layer.writer import Layer
from hardtack.store.lease import Lease
from hardtack.store.root import Root

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root to mount"))


@pytest.fixture(params=["erofs", "overlay"])
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each driver in turn, forced."""
    monkeypatch.setenv("HARDTACK_LAYERS", request.param)
    return str(request.param)


@pytest.fixture
def layers(root: Root, driver: str) -> LayerStore:
    """The layers of a fresh root, kept by the driver in turn. Costs 10 ms."""
    del driver
    layers_module._choices.clear()
    return LayerStore(root)


@pytest.fixture
def lease(root: Root) -> Iterator[Lease]:
    with Lease(root, "test") as lease:
        yield lease


@pytest.fixture
def store_tar(layers: LayerStore, lease: Lease) -> Callable[[bytes], Layer]:
    """Stores a tar as a layer."""

    def store(tar: bytes) -> Layer:
        with layers.writer(None) as writer:
            for start in range(0, len(tar), 65_536):
                writer.write(tar[start : start + 65_536])
            return writer.commit(lease)

    return store


@pytest.fixture
def tree_of(layers: LayerStore) -> Callable[[Layer], str]:
    """The layer's own tree, whiteouts in overlayfs' form; mounted until the test ends."""
    return lambda layer: mount_layer(layers.root, layer.diff_id, "test")


Stack = Callable[..., "contextmanager[Path]"]


@pytest.fixture
def stack(layers: LayerStore, tmp_path: Path) -> Callable[..., object]:
    """A with-block with layers mounted over each other, the lowest first; `upper=True` lets it be written to."""

    @contextmanager
    def mounted(*diff_ids: str, upper: bool = False, volatile: bool = False) -> Iterator[Path]:
        target = tmp_path / f"stack{len(list(tmp_path.glob('stack*')))}"
        target.mkdir()
        places = []
        if upper:
            places = [tmp_path / f"{target.name}-{kind}" for kind in ("upper", "work")]
            for place in places:
                place.mkdir(exist_ok=True)
        layers.mount(diff_ids, str(target), *map(str, places), holder=target.name, volatile=volatile)
        try:
            yield target
        finally:
            mounts.umount(str(target), mounts.MNT_DETACH)
            layers.release(target.name)

    return mounted
