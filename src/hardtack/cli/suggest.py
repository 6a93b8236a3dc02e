"""Names near a mistyped one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names that a slip of the hand may have meant, nearest first."""
    if len(word) > 40:
        return []
    allowed = 1 if len(word) < 6 else 2
    found = [(distance(word, name), name) for name in known]
    near = sorted(pair for pair in found if pair[0] <= allowed or (len(word) > 2 and pair[1].startswith(word)))
    return [name for _, name in near[:most]]


_ELSEWHERE = {
    "attestation": "", "buildx": "Build with: tack build", "builder": "Build with: tack build; clean up with: tack "
    "system prune", "commit": "Write it down as a Dockerfile, and use: tack build", "compose": "", "config": "",
    "context": "Another store is chosen with --root; another host is reached with: ssh HOST tack …", "events": "",
    "export": "An image is written by: tack save; files of a container by: tack cp CONTAINER:/ -",
    "model": "", "network connect": "", "network create": "", "network disconnect": "", "network prune": "",
    "network rm": "", "node": "", "plugin": "", "scout": "", "search": "A registry's page lists what it has",
    "secret": "", "service": "", "stack": "", "stats": "What runs inside is shown by: tack top", "swarm": "",
    "trust": "", "update": "Limits are given to: tack run",
}  # fmt: skip
"""What docker has and tack has not: by name, with what comes nearest."""


def absent(path: str) -> str | None:
    """What to do instead of a command that docker has and tack has not; None for all other names."""
    words = path.split()[1:]
    if words[:1] in (["container"], ["image"], ["system"]):
        del words[0]
    return _ELSEWHERE.get(" ".join(words))


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
