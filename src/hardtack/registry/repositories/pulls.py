"""How often tags and digests are pulled: counted in memory, written every few seconds for all of them together.

Counting is one step of a dictionary, since it happens for every pull. What a worker that is killed had not yet written
is not counted; a count is no promise. The figure of a whole repository counts images of an index with the index.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from hardtack.registry.errors import RegistryError
from hardtack.registry.metadata.script import first, hits
from hardtack.registry.repositories.rows import Pulled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hardtack.registry.metadata.database import Database
    from hardtack.registry.metadata.script import Script

    Counted = tuple[str, str, str]  # repository, what was asked for, the digest that it was

log = logging.getLogger("hardtack.registry")

_PAUSE = 3.0
_BATCH = 200
_MOST = 100_000


class Pulls:
    """The counter of one worker. Without a database what it counts is thrown away: a registry that is only read."""

    def __init__(self, database: Database | None = None) -> None:
        self._db = database
        self._counts: dict[Counted, int] = {}

    def count(self, repository: str, reference: str, digest: str) -> None:
        """Note that a manifest was served.

        Args:
            reference: a tag, or the digest.
        """
        key = (repository, reference, digest)
        self._counts[key] = self._counts.get(key, 0) + 1

    async def run(self) -> None:
        """Write for ever, every few seconds."""
        while True:
            await asyncio.sleep(_PAUSE)
            await self.flush()

    async def flush(self) -> None:
        """Write what was counted so far."""
        counts, self._counts = self._counts, {}
        if self._db is None:
            return
        # In one order everywhere, so that two replicas never wait for each other crosswise.
        waiting = sorted(counts.items())
        while waiting:
            batch, rest = waiting[:_BATCH], waiting[_BATCH:]
            try:
                await self._db.note(add, batch, self._db.now())
            except RegistryError as error:
                log.warning("pulls were not counted: %s", error)
                self._keep(waiting)
                return
            waiting = rest

    def _keep(self, waiting: Iterable[tuple[Counted, int]]) -> None:
        for key, number in waiting:
            if len(self._counts) < _MOST:
                self._counts[key] = self._counts.get(key, 0) + number


def add(batch: Sequence[tuple[Counted, int]], now: float) -> Script[None]:
    """Add counts, which are in order."""
    sums: dict[tuple[int, str], int] = {}
    name, home = "", None
    for (repository, reference, digest), number in batch:
        if repository != name:
            name, home = repository, (yield from first("SELECT id FROM repository WHERE name = ?", repository))
        if home is None:
            continue
        subjects = {""}
        if reference == digest and (yield from hits(_PART, home[0], digest)):
            subjects.remove("")
        # What was deleted meanwhile has taken its counts with it.
        if reference != digest and (yield from hits(_TAG, home[0], reference)):
            subjects.add(reference)
        if (yield from hits(_MANIFEST, home[0], digest)):
            subjects.add(digest)
        for subject in subjects:
            sums[home[0], subject] = sums.get((home[0], subject), 0) + number
    for (repository_id, subject), number in sorted(sums.items()):
        yield (
            "INSERT INTO pulled (repository, subject, pulls, latest) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (repository, subject)"
            " DO UPDATE SET pulls = pulled.pulls + excluded.pulls, latest = excluded.latest",
            (repository_id, subject, number, now),
        )


_TAG = "SELECT 1 FROM tag WHERE repository = ? AND name = ?"
_MANIFEST = "SELECT 1 FROM manifest WHERE repository = ? AND digest = ?"
_PART = "SELECT 1 FROM edge WHERE repository = ? AND child = ? AND kind = 'manifest'"


def pulled(repository: str, subjects: Sequence[str]) -> Script[dict[str, Pulled]]:
    """The figures of tags and digests; "" is the whole repository. What was never pulled is not in it."""
    home = yield from first("SELECT id FROM repository WHERE name = ?", repository)
    found: dict[str, Pulled] = {}
    if home is None:
        return found
    for subject in subjects:
        row = yield from first(
            "SELECT pulls, latest FROM pulled WHERE repository = ? AND subject = ?", home[0], subject
        )
        if row is not None:
            found[subject] = Pulled._make(row)
    return found
