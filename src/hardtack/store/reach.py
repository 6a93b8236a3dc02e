"""Reachability: what holders keep over the edges of the graph, and what is garbage without some of them.

Everything here only reads; `collect` acts on it.
"""

from __future__ import annotations

from hardtack.oci.digest import Digest
from hardtack.store.disk import disk_size
from hardtack.store.lease import dead_leases

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hardtack.store.root import Root
    from hardtack.store.sqlite import Connection

_ALIVE = """
    WITH RECURSIVE alive (digest) AS (
        SELECT digest FROM keep WHERE holder NOT IN (SELECT holder FROM temp.gone)
        UNION
        SELECT edge.child FROM alive JOIN edge ON edge.parent = alive.digest
    )
    INSERT INTO temp.alive SELECT digest FROM alive
"""


class Report:
    """What a collection removed, or would remove.

    Attributes:
        blobs: (digest, bytes on disk) of blobs.
        layers: the same of layers made mountable, by diff id.
        strays: (path below the root, bytes) of files that no row knew: after a death, or old partial downloads.
    """

    __slots__ = ("blobs", "layers", "strays")

    def __init__(self) -> None:
        self.blobs: list[tuple[Digest, int]] = []
        self.layers: list[tuple[Digest, int]] = []
        self.strays: list[tuple[str, int]] = []

    @property
    def freed(self) -> int:
        """Bytes on disk, all together."""
        return sum(size for found in (self.blobs, self.layers, self.strays) for _, size in found)


def would_free(root: Root, holders: Iterable[str]) -> Report:
    """What a collection would remove in addition if these holders were gone.

    Args:
        holders: as in the table `keep`: `image:<digest>`, `container:<id>`, `build:<key>`.
    """
    dead = [f"lease:{ident}" for ident in dead_leases(root.db)]
    before, layers_before = garbage(root.db, dead)
    after, layers_after = garbage(root.db, [*dead, *holders])
    report = Report()
    for digest in sorted(set(after) - set(before)):
        report.blobs.append((Digest(digest), disk_size(root.blobs.path_of(digest))))
    for digest, size in sorted(set(layers_after) - set(layers_before)):
        report.layers.append((Digest(digest), size))
    return report


def garbage(db: Connection, holders: Iterable[str]) -> tuple[list[str], list[tuple[str, int]]]:
    """Blobs, and layers with their sizes, that would not be reached without these holders."""
    own = not db.in_transaction
    if own:
        db.execute("BEGIN")
    try:
        _mark(db, holders)
        blobs = db.execute("SELECT digest FROM blob WHERE digest NOT IN (SELECT digest FROM temp.alive)").fetchall()
        layers = db.execute(
            "SELECT diff_id, size FROM layer WHERE diff_id NOT IN (SELECT digest FROM temp.alive)"
        ).fetchall()
    finally:
        if own:
            db.execute("ROLLBACK")
    return [row[0] for row in blobs], [(row[0], row[1]) for row in layers]


def _mark(db: Connection, gone: Iterable[str]) -> None:
    """Fill temp.alive with everything that holders reach, those in `gone` aside."""
    db.execute("CREATE TEMP TABLE IF NOT EXISTS gone (holder TEXT PRIMARY KEY) WITHOUT ROWID")
    db.execute("CREATE TEMP TABLE IF NOT EXISTS alive (digest TEXT PRIMARY KEY) WITHOUT ROWID")
    db.execute("DELETE FROM temp.gone")
    db.execute("DELETE FROM temp.alive")
    db.executemany("INSERT OR IGNORE INTO temp.gone VALUES (?)", [(holder,) for holder in gone])
    db.execute(_ALIVE)
