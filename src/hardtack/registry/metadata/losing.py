"""Blobs whose bytes are gone or wrong: the mark that makes clients push them again, set while nobody is doing so.

A mark goes with the next upload of the blob (`changes.finish_upload`). Content of manifests has no mark: what is wrong
is emptied, an empty one is not found, and the next push of the manifest fills it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.metadata.script import Effect, first, hits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hardtack.registry.metadata.script import Script

    StillLost = Callable[[], Awaitable[bool]]
    """Looks again, or moves the wrong bytes away; called while no push can put right ones in their place."""

_PUSHED = (
    "SELECT 1 FROM upload WHERE digest = ? AND digest <> ''"
    " AND ((finished = 0 AND touched >= ?) OR (finished <> 0 AND touched >= ?))"
)
_CLAIM_LIFE = 3600.0
NEVER = 1e18


def lose(digest: str, why: str, since: float, now: float, still: StillLost) -> Script[bool]:
    """Mark a blob as lost.

    Args:
        since: when somebody began to look at its bytes. What has been pushed since then, or is about to be, is left
            alone. `NEVER` when `still` moves nothing away: the end of a push takes the mark away anyway.
    Returns:
        Whether it is marked now.
    """
    # A claim writes to the row, so none can come, and nothing be published, until this ends.
    if not (yield from hits("SELECT 1 FROM blob WHERE digest = ? FOR UPDATE", digest)):
        return False
    if (yield from hits("SELECT 1 FROM lost WHERE digest = ?", digest)):
        return True
    if since < NEVER and (yield from hits(_PUSHED, digest, min(since, now - _CLAIM_LIFE), since)):
        return False
    answers: list[bool] = []

    async def look() -> None:
        answers.append(await still())

    yield Effect(look)
    if not answers[-1]:
        return False
    yield "INSERT INTO lost (digest, found, why) VALUES (?, ?, ?)", (digest, now, why)
    return True


def found(digest: str) -> Script[None]:
    """Take the mark away: the bytes are there and right."""
    yield "DELETE FROM lost WHERE digest = ?", (digest,)


def empty_content(digest: str, body: bytes) -> Script[bool]:
    """Empty the content of a manifest, when it still is what was found to be wrong."""
    row = yield from first("SELECT body FROM content WHERE digest = ? FOR UPDATE", digest)
    if row is None or bytes(row[0]) != body:
        return False
    yield "UPDATE content SET body = ? WHERE digest = ?", (b"", digest)
    return True
