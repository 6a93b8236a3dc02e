"""Registries for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.our_registry import Client, OurRegistry, our_registry
from support.registry_worker import Worker, registry_worker


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurRegistry]:
    """Two worker processes, shared by a module: use repository names of your own. Costs 600 ms a module."""
    with our_registry(tmp_path_factory.mktemp("registry") / "root") as running:
        yield running


@pytest.fixture
def client(registry: OurRegistry) -> Client:
    return registry.client


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    """One worker in this process, alone. Costs 20 ms."""
    with registry_worker(tmp_path / "root") as running:
        yield running
