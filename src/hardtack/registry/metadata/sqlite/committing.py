"""A batch of changes in one transaction of SQLite, up to its commit.

A change is a function of a connection. Each runs in its own savepoint, so one that is refused takes nothing of the
others with it.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, NamedTuple

from hardtack.registry.metadata.sqlite.database import failure

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    Change = Callable[[sqlite3.Connection, bool], Any]
    """What is done in the transaction; the flag says that it is the event loop that waits."""


class Job(NamedTuple):
    """A change that somebody waits for; `durable` when it is to survive a loss of power before they go on."""

    change: Change
    durable: bool
    done: asyncio.Future[Any]


def begin(connection: sqlite3.Connection, batch: Sequence[Job], near: bool = False) -> list[Any]:
    """Run a batch in a transaction that stays open. Returns, for each job, its result or the exception to raise.

    Args:
        near: in the event loop.
    Raises:
        sqlite3.Error: nothing was done; or whatever a change raised with which SQLite has given up.
    """
    connection.execute("BEGIN IMMEDIATE")
    return [_attempt(connection, job.change, near) for job in batch]


def _attempt(connection: sqlite3.Connection, change: Change, near: bool) -> Any:
    connection.execute("SAVEPOINT change")
    try:
        outcome = change(connection, near)
    except Exception as error:
        if not connection.in_transaction:  # SQLite itself has rolled back all: no room, or a broken disk
            raise
        connection.execute("ROLLBACK TO change")
        outcome = failure(error) if isinstance(error, sqlite3.Error) else error
    connection.execute("RELEASE change")
    return outcome


def failed(connection: sqlite3.Connection, batch: Sequence[Job], error: BaseException) -> list[Any]:
    """End a transaction that failed as a whole. Returns what each job is told."""
    if connection.in_transaction:
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error:
            pass  # SQLite rolls back by itself after most errors; the next BEGIN tells otherwise
    return [failure(error) if isinstance(error, sqlite3.Error) else error] * len(batch)


def is_busy(error: BaseException) -> bool:
    """Whether somebody else has the database locked."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def deliver(batch: Sequence[Job], outcomes: Sequence[Any]) -> None:
    """Tell those who wait."""
    for job, outcome in zip(batch, outcomes, strict=True):
        if job.done.done():
            continue
        if isinstance(outcome, BaseException):
            job.done.set_exception(outcome)
        else:
            job.done.set_result(outcome)
