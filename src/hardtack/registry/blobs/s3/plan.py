"""How pieces become one object: which parts the store copies by itself, and which bytes have to pass through us.

Source: S3, "Multipart upload limits": a part has at least 5 MiB unless it is the last, and there are at most 10,000.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardtack.registry.blobs.s3.pieces import LARGE

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Span:
    """A range of the bytes of one source.

    Attributes:
        source: its place in the order.
    """

    source: int
    start: int
    count: int


Part = tuple[Span, ...]
"""One part: a single span of a large source is copied by the store, anything else is read and written by us."""


def plan(sizes: Sequence[int]) -> list[Part]:
    """Divide sources, one after another, into parts.

    Args:
        sizes: of the sources, each at least one byte.
    Returns:
        Parts in order. All but the last have at least 5 MiB; one of several spans has less than 15 MiB.
    """
    parts: list[Part] = []
    small: list[Span] = []
    held = 0
    for source, size in enumerate(sizes):
        start = 0
        if small and size >= LARGE:
            # Small ones before a large one: take from its beginning what they lack, if enough of it remains.
            lacking = LARGE - held
            start = lacking if size - lacking >= LARGE else size
            parts.append((*small, Span(source, 0, start)))
            small, held = [], 0
        if start == size:
            continue
        rest = Span(source, start, size - start)
        if size >= LARGE:
            parts.append((rest,))
            continue
        small.append(rest)
        held += size
        if held >= LARGE:
            parts.append(tuple(small))
            small, held = [], 0
    if small:
        parts.append(tuple(small))
    return parts
