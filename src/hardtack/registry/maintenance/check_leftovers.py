"""What processes that died have left behind, and what lies in the quarantine: no damage, only space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.maintenance import questions
from hardtack.registry.maintenance.findings import Finding
from hardtack.registry.metadata import changes, reading

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hardtack.registry.maintenance.findings import Check


_AT_WORK = 3600.0  # for so many seconds somebody may still be busy with what looks left behind


async def check_leftovers(check: Check) -> AsyncIterator[Finding]:
    """Uploads have bytes and sessions; nothing waits to be freed; nothing is in the quarantine."""
    async for finding in _sessions(check):
        yield finding
    for upload in await check.blobs.abandoned(_AT_WORK):
        if await check.database.read(reading.upload, upload) is not None:
            continue
        gone = check.repair and await check.blobs.discard(upload)
        yield Finding("upload-stray", upload, "bytes of an upload without a session", "", gone)
    aside = await check.blobs.aside()
    if aside:
        message = f"{len(aside)} damaged blobs were put aside, the first is {aside[0]}"
        yield Finding("quarantine", "quarantine", message, "Look at them, then remove them")


async def _sessions(check: Check) -> AsyncIterator[Finding]:
    before = check.database.now() - _AT_WORK
    after = ""
    while page := await check.database.browse(questions.sessions_after, after, before):
        for upload in page:
            if await check.blobs.received(upload) is not None:
                continue
            gone = check.repair and await check.database.write(changes.cancel_upload, upload)
            yield Finding("upload-missing", upload, "a session of an upload without bytes", "", gone)
        after = page[-1]
