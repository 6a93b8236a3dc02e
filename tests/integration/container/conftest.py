"""Worlds with containers. Making one costs 300 ms, so tests of a module share it and remove what they made."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from support.containers import World

RUNTIMES = ("crun", "runc")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Nothing here works without root; all tests of one world go to one worker."""
    for item in items:
        if "/integration/container/" in str(item.path) and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root: containers run"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The module's world."""
    made = World(tmp_path_factory.mktemp("world"))
    try:
        yield made
    finally:
        made.take_down()


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    """The module's world, without containers before and after."""
    yield shared
    shared.clear()


@pytest.fixture(scope="module", params=[(runtime, layers) for runtime in RUNTIMES for layers in ("erofs", "overlay")])
def every(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world for each OCI runtime and each layer driver."""
    runtime, layers = request.param
    if shutil.which(runtime, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None:
        pytest.skip(f"{runtime} is not installed")
    made = World(tmp_path_factory.mktemp("every"), HARDTACK_RUNTIME=runtime, HARDTACK_LAYERS=layers)
    try:
        yield made
    finally:
        made.take_down()
