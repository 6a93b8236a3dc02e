"""Scripts run on a connection of PostgreSQL, and blocks that end when their connection does."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from hardtack.registry.errors import StorageBroken, StorageUnreachable
from hardtack.registry.metadata.postgres.failures import DriverFailed
from hardtack.registry.metadata.postgres.translation import numbered
from hardtack.registry.metadata.script import Effect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from hardtack.registry.metadata.script import Script

    Connection = Any
    """The driver has no types."""

T = TypeVar("T")

EFFECT_SECONDS = 60.0
"""What an effect has at most. The server waits longer than that for the next word of a transaction."""


async def run(connection: Connection, script: Script[T], once: bool = False) -> T:
    """Run a script to its end.

    Args:
        connection: within a transaction, unless the script only asks.
        once: its effects hand something out, so after the first of them it is not to be begun again.
    Raises:
        what the script and its effects raise; DriverFailed.
    """
    send: Callable[[list[tuple[Any, ...]]], Any] = script.send
    performed = False
    try:
        step = next(script)
        while True:
            if type(step) is tuple:
                step = send(await _rows(connection, *step))
            else:
                assert isinstance(step, Effect)
                performed = True
                await _perform(connection, step)
                step = send([])
    except DriverFailed as error:
        error.certain = error.certain and not (once and performed)
        raise
    except StopIteration as end:
        value: T = end.value
        return value


async def _rows(connection: Connection, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    try:
        return [tuple(row) for row in await connection.fetch(numbered(sql), *values)]
    except Exception as error:
        raise DriverFailed(error) from error


async def _perform(connection: Connection, effect: Effect) -> None:
    # Without the transaction its locks are gone, and somebody else may be making what the effect is removing.
    async with bound(connection):
        limit = asyncio.timeout(EFFECT_SECONDS)
        try:
            async with limit:
                await effect.do()
        except TimeoutError:
            if not limit.expired():
                raise
            raise StorageBroken(f"what a change waited for took longer than {EFFECT_SECONDS:.0f} seconds") from None


@asynccontextmanager
async def bound(connection: Connection) -> AsyncIterator[None]:
    """A block that is cancelled when the connection is lost.

    Raises:
        StorageUnreachable: it was.
    """
    task = asyncio.current_task()
    assert task is not None
    inside, lost = True, False

    def end(_: object) -> None:
        nonlocal lost
        if inside:
            lost = True
            task.cancel()

    connection.add_termination_listener(end)
    try:
        yield
    except asyncio.CancelledError:
        if lost and task.uncancel() == 0:
            raise StorageUnreachable("the connection was lost in the middle of a change") from None
        raise
    finally:
        inside = False
        with contextlib.suppress(Exception):  # a connection that is gone has forgotten its listeners
            connection.remove_termination_listener(end)
