"""Blobs against their bytes: what the database knows and what the storage has, both read once, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.loss import GONE, lose_missing, lose_wrong, size_of, wrong_with
from hardtack.registry.maintenance import questions, repairs
from hardtack.registry.maintenance.findings import Finding
from hardtack.registry.metadata import losing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hardtack.registry.maintenance.findings import Check
    from hardtack.registry.maintenance.questions import BlobRow


async def check_blobs(check: Check) -> AsyncIterator[Finding]:
    """Every blob has the bytes that its digest names, and all bytes belong to a blob."""
    listing = aiter(check.blobs.listing())
    at = await anext(listing, None)
    after = ""
    while page := await check.database.browse(questions.blobs_after, after):
        for row in page:
            while at is not None and at[0] < row.digest:
                async for finding in _stray(check, *at):
                    yield finding
                at = await anext(listing, None)
            held = at[1] if at is not None and at[0] == row.digest else None
            async for finding in _blob(check, row, held):
                yield finding
        after = page[-1].digest
    while at is not None:
        if at[0] > after:
            async for finding in _stray(check, *at):
                yield finding
        at = await anext(listing, None)


async def _stray(check: Check, digest: str, size: int) -> AsyncIterator[Finding]:
    # A push writes the row before the bytes get their name, so one that came meanwhile has a row by now.
    if await check.database.read(questions.blob, digest) is not None or await size_of(check.blobs, digest) is None:
        return
    if await check.database.browse(questions.is_linked, digest):
        if check.repair:
            await check.database.write(repairs.give_row, digest, size, check.database.now())
        yield Finding("blob-unknown", digest, "repositories link to it, and no row knows of it", "", check.repair)
        return
    if check.repair:
        await check.database.write(repairs.take_stray, digest, size, check.database.now())
    yield Finding(
        "blob-stray", digest, f"{size:,} bytes that no row knows of", "", check.repair, "left to the collector"
    )


async def _blob(check: Check, row: BlobRow, held: int | None) -> AsyncIterator[Finding]:
    since = check.database.now()
    if held is None and not row.needed:
        return  # on its way in, or on its way out
    if held is None:
        wrong = GONE
    elif check.deep or held != row.size or row.why is not None:
        wrong = await wrong_with(check.blobs, row.digest)
    else:
        wrong = ""
    if wrong:
        async for finding in _bad(check, row.digest, wrong, since):
            yield finding
    elif row.why is not None:
        if check.repair:
            await check.database.write(losing.found, row.digest)
        yield Finding("blob-back", row.digest, "it is marked as lost, and its bytes are there", "", check.repair)
    if not wrong and held is not None and held != row.size and row.needed:
        if check.repair:
            await check.database.write(repairs.resize_blob, row.digest, held)
        message = f"it has {held:,} bytes and not {row.size:,} as its row says"
        yield Finding("blob-size-wrong", row.digest, message, "", check.repair)
    if row.idle == row.needed:
        async for finding in _mark(check, row.digest):
            yield finding


async def _bad(check: Check, digest: str, wrong: str, since: float) -> AsyncIterator[Finding]:
    """Bytes that are gone or wrong, unless that has changed by now."""
    row = await check.database.browse(questions.blob, digest)
    if row is None:
        return
    if wrong == GONE and (not row.needed or await size_of(check.blobs, digest) is not None):
        return
    done = ""
    if check.repair and row.why is None:
        if wrong == GONE:
            marked = await lose_missing(check.database, check.blobs, digest)
        else:
            marked = await lose_wrong(check.database, check.blobs, digest, wrong, since)
        done = "marked as lost, so that it can be pushed again" if marked else "left alone: somebody is pushing it"
    elif row.why is not None:
        done = "marked as lost earlier"
    needs = await check.database.browse(questions.needs_of, digest)
    named = f"; needed by {', '.join(needs)}" if needs else ""
    kind = "blob-lost" if row.why is not None else "blob-missing" if wrong == GONE else "blob-damaged"
    hint = f"Push {needs[0]} again" if needs else ""
    yield Finding(kind, digest, wrong + named, hint, False, done)


async def _mark(check: Check, digest: str) -> AsyncIterator[Finding]:
    row = await check.database.browse(questions.blob, digest)
    if row is None or row.idle != row.needed:
        return
    if check.repair:
        await check.database.write(repairs.mark_blob, digest, check.database.now())
    message = "it is marked as needed by nothing, and is needed" if row.needed else "it is marked as needed, and is not"
    yield Finding("blob-mark-wrong", digest, message, "", check.repair)
