"""Quotas of namespaces, as scripts: how many bytes may still come, and the refusal of those that are too many.

What a namespace uses is the sum over its repositories of what each would need alone. `within` is the last thing that a
change does before it ends: it locks the namespace's row, so that of two changes the second sees what the first took.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hardtack.registry.errors import QuotaExceeded
from hardtack.registry.metadata.script import first

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script


class Room(NamedTuple):
    """What a namespace has and may have, in bytes."""

    namespace: str
    limit: int
    used: int

    def take(self, needed: int) -> None:
        """Make sure that so many bytes more would fit; 0 asks whether anything would.

        Raises:
            QuotaExceeded: they would not.
        """
        if self.used + max(needed, 1) > self.limit:
            raise QuotaExceeded(self.namespace, self.limit, self.used, needed)


def namespace_of(repository: str) -> str:
    """The first component of a name."""
    return repository.partition("/")[0]


def usage(namespace: str) -> Script[int]:
    """Bytes of all repositories of a namespace: the one of that name, and those below it ("0" follows "/")."""
    rows = yield (
        "SELECT CAST(coalesce(sum(size), 0) AS BIGINT) FROM repository WHERE name > ? AND name < ?",
        (f"{namespace}/", f"{namespace}0"),
    )
    alone = yield from first("SELECT size FROM repository WHERE name = ?", namespace)
    below: int = rows[0][0]
    return below + (0 if alone is None else alone[0])


def room(repository: str) -> Script[Room | None]:
    """What is left for a repository to take; None without a quota."""
    namespace = namespace_of(repository)
    row = yield from first("SELECT quota FROM namespace WHERE name = ? AND quota IS NOT NULL", namespace)
    if row is None:
        return None
    return Room(namespace, row[0], (yield from usage(namespace)))


def within(repository: str, grown: int) -> Script[None]:
    """Refuse a change by which a repository has grown, when its namespace is over its quota now.

    Raises:
        QuotaExceeded: it is.
    """
    namespace = namespace_of(repository)
    row = yield from first("SELECT quota FROM namespace WHERE name = ? AND quota IS NOT NULL FOR UPDATE", namespace)
    if row is None or grown <= 0:
        return
    used = yield from usage(namespace)
    if used > row[0]:
        raise QuotaExceeded(namespace, row[0], used - grown, grown)
