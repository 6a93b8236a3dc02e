"""Names near a mistyped one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names that a slip of the hand may have meant, nearest first."""
    if len(word) > 40:
        return []
    allowed = 1 if len(word) < 4 else 2
    found = [(distance(word, name), name) for name in known]
    near = sorted(pair for pair in found if pair[0] <= allowed or (len(word) > 2 and pair[1].startswith(word)))
    return [name for _, name in near[:most]]


def distance(a: str, b: str) -> int:
    """How many letters to insert, remove, replace or swap with their neighbour to make one the other."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        older, before, row = before, row, [i] + [0] * len(b)
        for j, right in enumerate(b, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == b[j - 2] and a[i - 2] == right:
                row[j] = min(row[j], older[j - 2] + 1)
    return row[-1]
