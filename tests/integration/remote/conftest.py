"""What tests of registries share: a registry that misbehaves, and a client that does not wait long."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.bad_registry import BadRegistry, TokenServer


@pytest.fixture
def registry() -> Iterator[BadRegistry]:
    """A registry on loopback. Costs 1 ms, and up to 20 ms to stop."""
    with BadRegistry() as server:
        yield server


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    """A token server on loopback."""
    with TokenServer() as server:
        yield server
