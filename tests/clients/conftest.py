"""The engines of others, started once per test process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemons import Docker, Podman, dockerd, podman
from support.world import take_down


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    """docker's client and a daemon of its own, with short paths, as sockets want them. Costs 2 s."""
    with tempfile.TemporaryDirectory(prefix="tack-docker-", ignore_cleanup_errors=True) as folder:
        with dockerd(Path(folder)) as client:
            yield client
        take_down(folder)


@pytest.fixture(scope="session")
def their_podman() -> Iterator[Podman]:
    """podman and a store of its own. Costs nothing until it is called."""
    with tempfile.TemporaryDirectory(prefix="tack-podman-", ignore_cleanup_errors=True) as folder:
        yield podman(Path(folder))
        take_down(folder)
