"""What a check of a registry finds, in words for people and kinds for scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hardtack.registry.blobs.interface import Blobs
    from hardtack.registry.metadata.database import Database

LEFTOVERS = frozenset(("blob-stray", "upload-stray", "upload-missing", "trash", "quarantine"))
"""Kinds that are no damage: what a process that died left behind, and what was put aside earlier."""

BEYOND_REPAIR = frozenset(
    ("blob-lost", "manifest-lost", "manifest-incomplete", "manifest-unreadable", "row-dangling", "database-damaged")
)
"""Kinds that only people can put right, by what the hint says."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        kind: what sort of thing, such as `blob-missing`; stable, for scripts.
        subject: the digest, name or id that it concerns.
        message: what is wrong, a sentence without a full stop.
        hint: what brings it back, or "".
        repaired: it is right now.
        done: what a repair did where that alone does not make it right.
    """

    kind: str
    subject: str
    message: str
    hint: str = ""
    repaired: bool = False
    done: str = ""

    @property
    def harmless(self) -> bool:
        """Whether it is no damage."""
        return self.kind in LEFTOVERS


@dataclass(frozen=True, slots=True)
class Check:
    """What to check, and how.

    Attributes:
        repair: put right what can be put right safely.
        deep: read every byte of every blob.
        sparse: images may lack their layers.
    """

    database: Database
    blobs: Blobs
    repair: bool = False
    deep: bool = False
    sparse: bool = False
