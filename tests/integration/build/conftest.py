"""Where builds are tested: a root with busybox in it and an empty context."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardtack.image.load import load
from hardtack.network.world import destroy_world
from hardtack.store.root import Root
from support.kitchen import Kitchen
from support.layouts import Layout
from support.tars import busybox_tar
from support.world import take_down


def _stocked(root: Root, place: Path) -> Root:
    layout = Layout(place / "layout")
    layout.image([busybox_tar()], "docker.io/library/busybox:latest")
    load(root, io.BytesIO(layout.tar()))
    return root


@pytest.fixture
def kitchen(root: Root, tmp_path: Path) -> Iterator[Kitchen]:
    """A root of its own with the image busybox, and an empty context. Costs 150 ms."""
    context = tmp_path / "context"
    context.mkdir()
    try:
        yield Kitchen(_stocked(root, tmp_path), context)
    finally:
        destroy_world(root, force=True)


@pytest.fixture(scope="module")
def pantry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    """One root for all tests of a file that leave it as it was or do not mind what is cached."""
    place = tmp_path_factory.mktemp("pantry")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARDTACK_RUN", str(place / "run"))
        root = Root.open(str(place / "root"))
    try:
        yield _stocked(root, place)
    finally:
        destroy_world(root, force=True)
        root.close()
        take_down(place)


@pytest.fixture
def shared(pantry: Root, tmp_path: Path) -> Kitchen:
    """The shared root and an empty context of one's own. Costs nothing."""
    context = tmp_path / "context"
    context.mkdir()
    return Kitchen(pantry, context)
