"""The pieces of an unfinished upload: immutable objects, each naming the one before it, that nobody ever overwrites.

What an upload holds is read from their names alone, so it needs no record that could be stale, and any process can go
on with it. Every turn (one request that writes) has a number above all that it saw; pieces of the newest turn decide,
together with those that they build on. So requests one after another always see each other's bytes, and of requests
at the same time one prevails, whole: a writer that was believed dead can waste space but never mix its bytes in.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = "0" * 16
"""The predecessor of a first piece."""

PIECE = 8 << 20
LARGE = 5 << 20
"""From this size on a piece can be a part of a multipart upload by itself. Source: S3, "Multipart upload limits"."""

_FEW = 32
_NAME = re.compile(r"([0-9a-f]{8})\.([0-9a-f]{12})\.([0-9a-f]{16})\.([0-9a-f]{16})")
_STEP = 16 << 30
_LARGEST_PIECE = 64 << 20
BLOB_LIMIT = 400 << 30


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of an upload.

    Attributes:
        turn: which request wrote it.
        start: where its first byte belongs.
        before: the id of the piece that ends there, or ROOT.
        id: random.
        size: in bytes, at least one.
    """

    turn: int
    start: int
    before: str
    id: str
    size: int

    @property
    def end(self) -> int:
        """Where the next one starts."""
        return self.start + self.size

    @property
    def name(self) -> str:
        """The last component of its key."""
        return f"{self.turn:08x}.{self.start:012x}.{self.before}.{self.id}"


def parse_piece(name: str, size: int) -> Piece | None:
    """Read a piece's name; None when it is none."""
    found = _NAME.fullmatch(name)
    if found is None or size < 1:
        return None
    return Piece(int(found[1], 16), int(found[2], 16), found[3], found[4], size)


def following(chain: Sequence[Piece], turn: int, size: int) -> Piece:
    """A new piece at the end of a chain."""
    start, before = (chain[-1].end, chain[-1].id) if chain else (0, ROOT)
    return Piece(turn, start, before, secrets.token_hex(8), size)


def resolve(pieces: Iterable[Piece]) -> list[Piece]:
    """Choose what an upload holds.

    Args:
        pieces: everything that lies there, in any order, left-overs of dead and of overtaken writers included.
    Returns:
        The chain from the first byte on that ends in the newest turn, at its farthest.
    """
    joined: dict[str, Piece] = {}
    for piece in sorted(pieces, key=lambda piece: piece.start):  # what a piece builds on starts before it
        before = joined.get(piece.before)
        if piece.start == (before.end if before is not None else 0 if piece.before == ROOT else -1):
            joined[piece.id] = piece
    chain: list[Piece] = []
    tip = max(joined.values(), key=lambda piece: (piece.turn, piece.end, piece.id), default=None)
    while tip is not None:
        chain.append(tip)
        tip = joined.get(tip.before)
    return chain[::-1]


def to_merge(chain: Sequence[Piece]) -> int:
    """How many pieces at the end should be written again as one: small ones, once they are many or make a large one."""
    count = size = 0
    for piece in reversed(chain):
        if piece.size >= LARGE or size + piece.size > 2 * LARGE:
            break
        count += 1
        size += piece.size
    return count if count > 1 and (size >= LARGE or count >= _FEW) else 0


def piece_size(offset: int) -> int:
    """How large a piece at this place of an upload should be, so that a blob of 400 GiB has under 10,000."""
    size = PIECE
    while offset >= _STEP and size < _LARGEST_PIECE:
        size *= 2
        offset //= 2
    return size
