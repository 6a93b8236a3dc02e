"""Leases: what a running pull, build or load needs is kept, although no image points at it yet.

A lease lives as long as its with-block, and no longer than its process: one whose process has ended counts for
nothing, and the next collection sweeps it.
"""

from __future__ import annotations

import os
import time

from hardtack.linux.process import boot_id, is_alive, start_ticks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hardtack.store.root import Root
    from hardtack.store.sqlite import Connection


class Lease:
    """A with-block in which everything given to `keep` survives every collection.

    Args:
        purpose: what `tack system why` says about it, such as "pull docker.io/library/nginx:latest".
    """

    __slots__ = ("_root", "id", "purpose")

    def __init__(self, root: Root, purpose: str) -> None:
        self._root = root
        self.purpose = purpose
        self.id = os.urandom(8).hex()

    @property
    def holder(self) -> str:
        """Its name in the table `keep`."""
        return f"lease:{self.id}"

    def keep(self, digests: Iterable[str]) -> None:
        """Hold blobs and layers, whether they are there yet or not."""
        with self._root.transaction() as db:
            self.keep_within(db, digests)

    def keep_within(self, db: Connection, digests: Iterable[str]) -> None:
        """The same inside a transaction that is open already, together with the rows that it makes."""
        db.executemany(
            "INSERT OR IGNORE INTO keep (holder, digest) VALUES (?, ?)", [(self.holder, digest) for digest in digests]
        )

    def __enter__(self) -> Lease:
        pid = os.getpid()
        with self._root.transaction() as db:
            db.execute(
                "INSERT INTO lease (id, pid, ticks, boot, purpose, created) VALUES (?, ?, ?, ?, ?, ?)",
                (self.id, pid, start_ticks(pid) or 0, boot_id(), self.purpose, time.time()),
            )
        return self

    def __exit__(self, *_: object) -> None:
        with self._root.transaction() as db:
            drop_lease(db, self.id)


def drop_lease(db: Connection, ident: str) -> None:
    """Forget a lease and what it keeps, within a transaction."""
    db.execute("DELETE FROM keep WHERE holder = ?", (f"lease:{ident}",))
    db.execute("DELETE FROM lease WHERE id = ?", (ident,))


def dead_leases(db: Connection) -> list[str]:
    """The ids of leases whose process has ended."""
    rows = db.execute("SELECT id, pid, ticks, boot FROM lease").fetchall()
    return [ident for ident, pid, ticks, boot in rows if not is_alive(pid, ticks, boot)]
