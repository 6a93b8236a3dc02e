"""Manifests against their digests, and what is noted of each against what its bytes say."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hardtack.oci.digest import Digest
from hardtack.oci.errors import InvalidManifest
from hardtack.registry.api.manifests import described
from hardtack.registry.errors import ManifestInvalid
from hardtack.registry.maintenance import questions, repairs
from hardtack.registry.maintenance.findings import Finding
from hardtack.registry.metadata import losing
from hardtack.registry.parsing import parsed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hardtack.registry.maintenance.findings import Check
    from hardtack.registry.maintenance.questions import ManifestRow
    from hardtack.registry.metadata.rows import NewManifest

_SHOWN = 3


async def check_contents(check: Check) -> AsyncIterator[Finding]:
    """Every manifest's bytes are those that its digest names."""
    after = ""
    while page := await check.database.browse(questions.contents_after, after):
        for digest, body in page:
            wrong = await content_wrong(digest, bytes(body))
            if not wrong:
                continue
            done = ""
            if check.repair and body:
                await check.database.write(losing.empty_content, digest, bytes(body))
                done = "no longer served, so that it can be pushed again"
            homes = await check.database.browse(questions.homes_of, digest)
            message = wrong + (f"; in {', '.join(homes)}" if homes else "")
            kind = "manifest-damaged" if body else "manifest-lost"
            yield Finding(kind, digest, message, f"Push {homes[0]} again" if homes else "", False, done)
        after = page[-1][0]


async def content_wrong(digest: str, body: bytes) -> str:
    """What is wrong with a manifest's bytes; "" when nothing is."""
    if not body:
        return "its bytes were wrong and are no longer served"
    named = Digest(digest)
    actual = await asyncio.to_thread(Digest.of, body, named.algorithm)
    return "" if actual == named else f"its bytes are {actual}"


async def check_manifests(check: Check) -> AsyncIterator[Finding]:
    """What is noted of every manifest is what it says, and what it needs is there."""
    home, after = 0, ""
    while page := await check.database.browse(questions.manifests_after, home, after):
        for home, name, after in page:
            row = await check.database.browse(questions.manifest_row, home, after)
            if row is not None and row.body:
                async for finding in _manifest(check, home, f"{name}@{after}", Digest(after), row):
                    yield finding


async def _manifest(check: Check, home: int, subject: str, digest: Digest, row: ManifestRow) -> AsyncIterator[Finding]:
    try:
        right = described(await parsed(row.body, row.media_type, digest), digest, check.sparse)
    except (InvalidManifest, ManifestInvalid) as error:
        if not await content_wrong(digest, row.body):  # otherwise that was told
            yield Finding("manifest-unreadable", subject, error.message, "Delete it")
        return
    differing = list(_differences(row, right))
    if differing:
        repaired = check.repair and await check.database.write(repairs.mend_manifest, home, right)
        yield Finding("manifest-noted-wrong", subject, f"noted otherwise: {', '.join(differing)}", "", repaired)
    required = tuple(str(child.digest) for child in right.children if child.required)
    missing = await check.database.browse(questions.lacking, home, required)
    if missing and await check.database.browse(questions.manifest_row, home, digest) is not None:
        shown = ", ".join(missing[:_SHOWN]) + (f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else "")
        hint = "Push it again"
        yield Finding("manifest-incomplete", subject, f"its repository does not hold {shown}", hint)


def _differences(row: ManifestRow, right: NewManifest) -> list[str]:
    edges = {(str(child.digest), child.kind) for child in right.children}
    found = {
        "size": (row.size, len(right.raw)),
        "artifact type": (row.artifact_type, right.artifact_type),
        "subject": (row.subject, right.subject),
        "annotations": (row.annotations, right.annotations),
        "what it needs": (row.edges, edges),
    }
    return [name for name, (noted, said) in found.items() if noted != said]
