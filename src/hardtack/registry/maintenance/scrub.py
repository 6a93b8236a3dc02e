"""The scrubber: while the registry serves, it slowly reads everything again and verifies it, round after round.

One process of all does it; where it has come to is a fact in the database, so another one, or the same after a restart,
goes on there. What is gone or wrong is logged, counted, and no longer offered, as `fsck --deep --repair` does.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, NamedTuple

from hardtack.registry.errors import RegistryError
from hardtack.registry.loss import GONE, lose_missing, lose_wrong, wrong_with
from hardtack.registry.maintenance import questions
from hardtack.registry.maintenance.check_manifests import content_wrong
from hardtack.registry.metadata import losing
from hardtack.registry.metadata.script import first
from hardtack.registry.metrics import Count

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script
    from hardtack.registry.service import Service

log = logging.getLogger("hardtack.registry")

_FACT = "scrub"
_PAGE = 50
_RETRY = 60.0


class Place(NamedTuple):
    """Where the scrubber has come to.

    Attributes:
        began: when the round began.
        manifests: the blobs are done.
        after: the digest that was looked at last.
        done: the round is over.
    """

    began: float
    manifests: bool = False
    after: str = ""
    done: bool = False


def place() -> Script[Place | None]:
    """Where it has come to; None before the first round."""
    row = yield from first("SELECT value FROM fact WHERE name = ?", _FACT)
    return None if row is None else Place(*json.loads(row[0]))


def note(at: Place) -> Script[None]:
    """Remember it."""
    yield (
        "INSERT INTO fact (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_FACT, json.dumps(at)),
    )


class Scrubber:
    """The verification of one registry."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._database = service.database
        self._rate = service.config.maintenance.scrub_rate
        self._period = service.config.maintenance.scrub_period

    async def run(self) -> None:
        """Verify for ever, as fast as was said."""
        while self._rate:
            try:
                async with self._database.alone("scrub") as ours:
                    if ours:
                        await self.scrub()
            except RegistryError as error:
                log.warning("verification stopped for now: %s", error)
            await asyncio.sleep(_RETRY)

    async def scrub(self) -> None:
        """Go on with the round, or begin one when it is time; returns at its end."""
        at = await self._database.read(place)
        now = self._database.now()
        if at is None or (at.done and now >= at.began + self._period):
            at = Place(now)
        if at.done:
            return
        if not at.manifests:
            await self._blobs(at)
            at = Place(at.began, True)
        await self._manifests(at)
        await self._database.note(note, Place(at.began, True, "", True))
        log.info("every blob and manifest was verified")

    async def _blobs(self, at: Place) -> None:
        while page := await self._database.browse(questions.blobs_after, at.after, _PAGE):
            for row in page:
                if row.why is None:
                    await self._blob(row)
                at = at._replace(after=row.digest)
                if row.size > self._rate:
                    await self._database.note(note, at)
            await self._database.note(note, at)

    async def _blob(self, row: questions.BlobRow) -> None:
        since = self._database.now()
        wrong = await wrong_with(self._service.blobs, row.digest, self._pace)
        self._service.metrics.add(Count.SCRUBBED_BLOBS)
        if not wrong or (wrong == GONE and not row.needed):
            return
        if wrong == GONE:
            marked = await lose_missing(self._database, self._service.blobs, row.digest)
        else:
            marked = await lose_wrong(self._database, self._service.blobs, row.digest, wrong, since)
        if marked:
            self._service.metrics.add(Count.DAMAGED)
            needs = ", ".join(await self._database.browse(questions.needs_of, row.digest)) or "nothing"
            log.error("blob %s is lost: %s; needed by %s. Push it again", row.digest, wrong, needs)

    async def _manifests(self, at: Place) -> None:
        while page := await self._database.browse(questions.contents_after, at.after):
            for digest, raw in page:
                await self._manifest(digest, bytes(raw))
                await self._pace(len(raw))
            at = at._replace(after=page[-1][0])
            await self._database.note(note, at)

    async def _manifest(self, digest: str, body: bytes) -> None:
        wrong = await content_wrong(digest, body) if body else ""
        emptied = bool(wrong) and await self._database.write(losing.empty_content, digest, body)
        if emptied:
            self._service.metrics.add(Count.DAMAGED)
            homes = ", ".join(await self._database.browse(questions.homes_of, digest)) or "no repository"
            log.error("manifest %s is lost: %s; in %s. Push it again", digest, wrong, homes)

    async def _pace(self, count: int) -> None:
        self._service.metrics.add(Count.SCRUBBED_BYTES, count)
        await asyncio.sleep(count / self._rate)
