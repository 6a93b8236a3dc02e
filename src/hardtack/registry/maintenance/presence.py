"""Who works on a registry at the moment: servers that take changes say so, and whoever needs them to rest asks.

A lock of the database is held by one server process of all that share it; another takes over when it ends. A registry
that is read-only does not hold it. It keeps people from mistakes; what is copied is compared at the end anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from hardtack.registry.errors import RegistryError
from hardtack.registry.maintenance.errors import InTheWay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hardtack.registry.metadata.database import Database

_SERVING = "serving"
_RETRY = 5.0
_COLLECTION = 600.0
_BREATH = 0.1


async def say_that_we_serve(database: Database) -> None:
    """Hold the lock for as long as this runs, or wait to take it over."""
    while True:
        with contextlib.suppress(RegistryError):  # the lock goes with the connection to the database, and is taken anew
            async with database.alone(_SERVING) as ours:
                if ours:
                    await asyncio.Event().wait()
        await asyncio.sleep(_RETRY)


@asynccontextmanager
async def nobody_serving(database: Database, which: str) -> AsyncIterator[None]:
    """A block in which no server may change a registry.

    Args:
        which: the registry, for people.
    Raises:
        InTheWay: one may.
    """
    async with _held(database, _SERVING, 1.0) as ours:
        if not ours:
            raise InTheWay(
                f"a server is running on {which} and takes changes",
                "Stop it, or let it run with read_only = true",
            )
        yield


@asynccontextmanager
async def nothing_collected(database: Database) -> AsyncIterator[None]:
    """A block in which no blob is removed; waits for the round of the collector that is under way.

    Raises:
        InTheWay: it does not end.
    """
    async with _held(database, "collector", _COLLECTION) as ours:
        if not ours:
            raise InTheWay("the collector, or another backup, has been at work for ten minutes", "Try again later")
        yield


@asynccontextmanager
async def _held(database: Database, name: str, patience: float) -> AsyncIterator[bool]:
    waited = 0.0
    while True:
        async with database.alone(name) as ours:
            if ours or waited >= patience:
                yield ours
                return
        await asyncio.sleep(_BREATH)
        waited += _BREATH
