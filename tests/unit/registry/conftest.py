"""A database for tests of what is stored in it, each kind in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hardtack.registry.metadata.database import Database
from support.databases import DATABASES, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=DATABASES, ids=lambda kind: kind.__name__)
async def database(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> AsyncIterator[Database]:
    """A fresh database."""
    async with request.param(tmp_path, clock) as opened:
        yield opened
