"""What is noted of repositories: which links a manifest needs, how large they are, where tags point."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.loss import size_of
from hardtack.registry.maintenance import questions, repairs
from hardtack.registry.maintenance.findings import Finding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hardtack.registry.maintenance.findings import Check


async def check_marks(check: Check) -> AsyncIterator[Finding]:
    """What is noted of every repository is so."""
    after = 0
    while page := await check.database.browse(questions.repositories_after, after):
        for home, name in page:
            async for finding in _repository(check, home, name):
                yield finding
        after = page[-1][0]


async def _repository(check: Check, home: int, name: str) -> AsyncIterator[Finding]:
    database, repair = check.database, check.repair
    found = await database.browse(questions.marks, home)
    for digest in found.rowless:
        if repair:
            size = await size_of(check.blobs, digest)
            await database.write(repairs.give_row, digest, size, database.now())
        message = f"{name} links to it, and neither a row nor bytes are there"
        done = "marked as lost, so that it can be pushed again" if repair else ""
        yield Finding("blob-missing", digest, message, "Push it again", False, done)
    for tag, digest in found.tags:
        gone = repair and await database.write(repairs.drop_tag, home, tag, database.now())
        yield Finding("tag-dangling", f"{name}:{tag}", f"it points at {digest}, which is not there", "", gone)
    for digest in found.links:
        if repair:
            await database.write(repairs.mark_links, home, database.now())
        yield Finding("link-mark-wrong", f"{name}@{digest}", "whether a manifest needs it is noted wrong", "", repair)
    noted, size = found.size
    if noted != size:
        if repair:
            await database.write(repairs.size_repository, home)
        yield Finding("size-wrong", name, f"it holds {size:,} bytes, and {noted:,} are noted", "", repair)
