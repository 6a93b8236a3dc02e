"""A database for tests of what is stored in it, each kind in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hardtack.registry.metadata.database import Database
from hardtack.registry.metadata.store import Metadata
from hardtack.registry.repositories.undelete import Undelete
from support.databases import DATABASES, Clock
from support.registry_content import Content


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=DATABASES, ids=lambda kind: kind.__name__)
async def database(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> AsyncIterator[Database]:
    """A fresh database."""
    async with request.param(tmp_path, clock) as opened:
        yield opened


@pytest.fixture
def content(database: Database) -> Content:
    """What fills it."""
    return Content(database)


@pytest.fixture
def store(content: Content) -> Metadata:
    return content.store


@pytest.fixture
def undelete(database: Database) -> Undelete:
    """What was deleted in it, for a day."""
    return Undelete(database, 86_400.0)
