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


@pytest.fixture
def kitchen(root: Root, tmp_path: Path) -> Iterator[Kitchen]:
    """A root with the image busybox and an empty context. Costs 150 ms."""
    layout = Layout(tmp_path / "layout")
    layout.image([busybox_tar()], "docker.io/library/busybox:latest")
    load(root, io.BytesIO(layout.tar()))
    context = tmp_path / "context"
    context.mkdir()
    try:
        yield Kitchen(root, context)
    finally:
        destroy_world(root, force=True)
