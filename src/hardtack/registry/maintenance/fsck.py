"""Checking a registry, and repairing it: every blob and manifest against its name, every note against what it is of.

Runs while the registry serves, in small steps: what looks wrong is looked at again before it is called so, and a repair
looks once more with the rows locked. A repair never invents content and removes none: bytes that are wrong are set
aside, and what is lost is no longer offered, so that clients push it again and everything that needs it is whole.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import TYPE_CHECKING

from hardtack.registry.maintenance.check_blobs import check_blobs
from hardtack.registry.maintenance.check_leftovers import check_leftovers
from hardtack.registry.maintenance.check_manifests import check_contents, check_manifests
from hardtack.registry.maintenance.check_marks import check_marks
from hardtack.registry.maintenance.findings import Finding
from hardtack.registry.metadata.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hardtack.registry.maintenance.findings import Check
    from hardtack.registry.metadata.script import Script

_STEPS = (check_blobs, check_contents, check_manifests, check_marks, check_leftovers)
"""In this order: each relies on what the ones before have put right."""


async def fsck(check: Check) -> AsyncIterator[Finding]:
    """Everything that is wrong, in the order in which it should be read."""
    damaged = False
    async for finding in _database(check):
        damaged = True
        yield finding
    if damaged:
        return  # what the rows say means nothing now
    for step in _STEPS:
        async for finding in step(check):
            yield finding
    if isinstance(check.database, SqliteDatabase):  # PostgreSQL lets no such row come into being
        for table, target, number in await check.database.browse(_dangling):
            message = f"{number} rows refer to rows of {target} that are not there"
            yield Finding("row-dangling", table, message, "Push again what belongs to them, or restore a backup")


async def _database(check: Check) -> AsyncIterator[Finding]:
    """SQLite's own check; PostgreSQL checks its pages itself as it reads them (data_checksums)."""
    if not isinstance(check.database, SqliteDatabase):
        return
    try:
        problems = await check.database.browse(_integrity, check.deep)
    except sqlite3.Error as error:
        problems = [str(error)]
    for problem in problems:
        hint = "Restore a backup; without one, `sqlite3 registry.db .recover` saves what can be read"
        yield Finding("database-damaged", "registry.db", problem, hint)


def _integrity(deep: bool) -> Script[list[str]]:
    rows = yield f"PRAGMA {'integrity_check' if deep else 'quick_check'}(20)", ()
    return [str(row[0]) for row in rows if row[0] != "ok"]


def _dangling() -> Script[list[tuple[str, str, int]]]:
    rows = yield "PRAGMA foreign_key_check", ()
    counts = Counter((row[0], row[2]) for row in rows)
    return [(table, target, number) for (table, target), number in sorted(counts.items())]
