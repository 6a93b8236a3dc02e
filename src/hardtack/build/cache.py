"""What steps gave before: from a key to a layer, held in the store until the entry is pruned.

An entry is written in one transaction with the rows that keep its layer, after the layer is whole; so an entry that is
found can be used, and a killed build leaves none. A key is a hash of the layers below, the instruction with its
variables and its sources: content, not names or times.
"""

from __future__ import annotations

import time

from hardtack.build.state import Layer
from hardtack.oci.descriptor import Descriptor
from hardtack.oci.digest import Digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.store.lease import Lease
    from hardtack.store.root import Root
    from hardtack.store.sqlite import Connection

_HOUR = 3600.0


class Result:
    """What a step gave: a layer, or None when it changed nothing; when; and when that was last of use."""

    __slots__ = ("created", "layer", "used")

    def __init__(self, layer: Layer | None, created: str, used: float = 0.0) -> None:
        self.layer = layer
        self.created = created
        self.used = used


class StepCache:
    """The entries of one root.

    Args:
        read: False leaves old entries unused (`--no-cache`); new ones are written all the same.
    """

    __slots__ = ("_read", "_root", "hits")

    def __init__(self, root: Root, read: bool = True) -> None:
        self._root = root
        self._read = read
        self.hits: dict[str, Result] = {}

    def find(self, key: str, lease: Lease | None = None) -> Result | None:
        """What the step of a key gave.

        Args:
            lease: keeps the layer from now on; without one, ask again inside `confirm`.
        """
        if not self._read:
            return None
        if lease is None:
            found = _look(self._root.db, key)
        else:
            with self._root.transaction() as db:
                found = _look(db, key)
                if found is not None and found.layer is not None:
                    lease.keep_within(db, _content(found.layer))
        if found is not None:
            self.hits[key] = found
        return found

    def confirm(self, lease: Lease) -> bool:
        """Keep the layers of all hits so far for a lease.

        Returns:
            False when one was pruned and collected meanwhile, so that its step has to be planned again.
        """
        with self._root.transaction() as db:
            for key, result in self.hits.items():
                now = _look(db, key)
                if now is None or (now.layer and now.layer.diff_id) != (result.layer and result.layer.diff_id):
                    return False
                if result.layer is not None:
                    lease.keep_within(db, _content(result.layer))
        return True

    def store(self, keys: list[str], result: Result, instruction: str) -> None:
        """Write what a step gave, under one key or several.

        Args:
            instruction: for people; without secrets.
        """
        now = time.time()
        layer = result.layer
        blob = layer.blob if layer is not None else None
        row = (
            layer.diff_id if layer is not None else "",
            str(blob.digest) if blob is not None else "",
            blob.media_type if blob is not None else "",
            blob.size if blob is not None else 0,
            result.created,
            instruction[:1000],
            now,
            now,
        )
        with self._root.transaction() as db:
            for key in keys:
                _drop(db, key)
                db.execute("INSERT INTO build_step VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (key, *row))
                if layer is not None:
                    db.executemany(
                        "INSERT OR IGNORE INTO keep (holder, digest) VALUES (?, ?)",
                        [(f"build:{key}", digest) for digest in _content(layer)],
                    )

    def touch(self) -> None:
        """Note that the hits were used, for pruning by last use; to the hour, so that most builds write nothing."""
        now = time.time()
        stale = [(now, key) for key, result in self.hits.items() if now - result.used > _HOUR]
        if stale:
            with self._root.transaction() as db:
                db.executemany("UPDATE build_step SET used = ? WHERE key = ?", stale)


def _content(layer: Layer) -> list[str]:
    return [layer.diff_id, str(layer.blob.digest)]


_LOOK = """
SELECT diff_id, blob, media_type, size, created, used FROM build_step WHERE key = ? AND (
    diff_id = ''
    OR EXISTS (SELECT 1 FROM layer WHERE layer.diff_id = build_step.diff_id)
    AND EXISTS (SELECT 1 FROM blob WHERE blob.digest = build_step.blob)
)"""


def _look(db: Connection, key: str) -> Result | None:
    row = db.execute(_LOOK, (key,)).fetchone()
    if row is None:
        return None
    diff_id, blob, media_type, size, created, used = row
    layer = Layer(diff_id, Descriptor(media_type, Digest(blob), size)) if diff_id else None
    return Result(layer, created, used)


def _drop(db: Connection, key: str) -> None:
    db.execute("DELETE FROM build_step WHERE key = ?", (key,))
    db.execute("DELETE FROM keep WHERE holder = ?", (f"build:{key}",))


class Entry:
    """An entry as people see it. Sizes are of the compressed layer, times seconds since the epoch."""

    __slots__ = ("instruction", "key", "made", "size", "used")

    def __init__(self, key: str, instruction: str, size: int, made: float, used: float) -> None:
        self.key = key
        self.instruction = instruction
        self.size = size
        self.made = made
        self.used = used


def entries(root: Root) -> list[Entry]:
    """Every entry, the one used last first."""
    rows = root.db.execute("SELECT key, instruction, size, made, used FROM build_step ORDER BY used DESC, key")
    return [Entry(*row) for row in rows]


def prune(root: Root, unused_since: float | None = None, dry_run: bool = False, dangling: bool = False) -> list[Entry]:
    """Forget entries, so that the next collection may free their layers; what images use stays with them.

    Args:
        unused_since: only entries not used since that moment (seconds since the epoch); None for all.
        dangling: only entries that free something: nothing but the cache keeps their layers.
        dry_run: only say which.
    Returns:
        The entries forgotten.
    """
    with root.transaction() as db:
        chosen = [entry for entry in entries(root) if unused_since is None or entry.used < unused_since]
        if dangling:
            lonely = _lonely(db)
            chosen = [entry for entry in chosen if entry.key in lonely]
        if not dry_run:
            for entry in chosen:
                _drop(db, entry.key)
    return chosen


def _lonely(db: Connection) -> set[str]:
    """Keys of entries whose layer, or its blob, would be garbage without the cache."""
    from hardtack.store.reach import garbage

    steps = db.execute("SELECT key, diff_id, blob FROM build_step WHERE diff_id <> ''").fetchall()
    blobs, layers = garbage(db, [f"build:{key}" for key, _, _ in steps])
    unkept = {*blobs, *(digest for digest, _ in layers)}
    return {key for key, *digests in steps if not unkept.isdisjoint(digests)}
