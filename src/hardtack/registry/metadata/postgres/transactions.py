"""One transaction on one connection, and how often what failed is tried again."""

from __future__ import annotations

import contextlib
import random
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from hardtack.registry.metadata.postgres.failures import DriverFailed, beaten, gone, outrun

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hardtack.registry.metadata.postgres.running import Connection

_TRIES = 12
_FEW_TRIES = 4
_PATIENCE_SECONDS = 3.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.5


@asynccontextmanager
async def transaction(connection: Connection, begin: str) -> AsyncIterator[None]:
    """A block that happens as a whole or not at all.

    Args:
        begin: the statement, or several, that it begins with.
    Raises:
        DriverFailed: it could not begin, or not end; in the second case it may have happened.
    """
    await _say(connection, begin)
    try:
        yield
    except BaseException:
        # A connection that cannot roll back is broken, and the server does it as soon as it sees that.
        with contextlib.suppress(Exception):
            await connection.execute("ROLLBACK")
        raise
    try:
        await _say(connection, "COMMIT")
    except DriverFailed as error:
        error.certain = not gone(error.cause) and not isinstance(error.cause, TimeoutError)
        raise


async def _say(connection: Connection, sql: str) -> None:
    try:
        await connection.execute(sql)
    except Exception as error:
        raise DriverFailed(error) from error


class Patience:
    """How long one change is tried: some times when others come first, some seconds when the server is away."""

    def __init__(self) -> None:
        self._tries = 0
        self._end = 0.0

    def pause(self, error: DriverFailed) -> float | None:
        """Seconds to wait before the next attempt; None when there is to be none."""
        self._tries += 1
        if not error.certain:
            return None
        longest = min(_FIRST_PAUSE * 2.0**self._tries, _LONGEST_PAUSE)
        pause = longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        if beaten(error.cause):
            return pause if self._tries < (_FEW_TRIES if outrun(error.cause) else _TRIES) else None
        if not gone(error.cause):
            return None
        now = time.monotonic()
        self._end = self._end or now + _PATIENCE_SECONDS
        return pause if now < self._end else None
