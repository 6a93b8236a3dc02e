"""What has happened to content, written down in the transaction that did it, for whoever is to be told afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script


def happened(
    kind: str, repository: str, tag: str, digest: str, media_type: str, size: int, who: str, now: float
) -> Script[None]:
    """Write an event down.

    Args:
        kind: push, delete, tag, untag, restore, repository or drop.
    """
    yield (
        "INSERT INTO event (kind, repository, tag, digest, media_type, size, who, moment)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (kind, repository, tag, digest, media_type, size, who, now),
    )
