"""Collection: what no holder reaches goes, at any time, while others pull, build and run.

Rows go first, in one durable transaction; files follow, each after a second look inside a transaction of its own, so
that a blob that was taken in again meanwhile stays. A death between the two leaves files without rows, which the next
collection sweeps. Why something is kept is answered by `why`, what a removal would free by `would_free`.
"""

from __future__ import annotations

import fcntl
import os
import time

from hardtack.oci.digest import Digest
from hardtack.store.disk import disk_size, tree_size
from hardtack.store.lease import dead_leases, drop_lease
from hardtack.store.reach import Report, garbage, would_free
from hardtack.store.why import why

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardtack.store.root import Root

__all__ = ["Report", "collect", "why", "would_free"]

DAY = 86_400.0
_PARTIAL_SECONDS = 7 * DAY
_LEFTOVER_SECONDS = 1 * DAY


def collect(root: Root, dry_run: bool = False, partials_older: float = _PARTIAL_SECONDS) -> Report:
    """Remove what nothing keeps.

    Args:
        dry_run: only say what would go.
        partials_older: seconds since an unfinished download was last written to, after which it goes too.
    Returns:
        What went; things that came into use meanwhile are not in it.
    """
    report = Report()
    if dry_run:
        blobs, layers = garbage(root.db, [f"lease:{ident}" for ident in dead_leases(root.db)])
        report.blobs = [(Digest(digest), disk_size(root.blobs.path_of(digest))) for digest in blobs]
        report.layers = [(Digest(digest), size) for digest, size in layers]
        return report
    blobs, layers = _delete_rows(root)
    for digest in blobs:
        size = remove_blob(root, Digest(digest))
        if size is not None:
            report.blobs.append((Digest(digest), size))
    for digest, size in layers:
        if _remove_layer(root, Digest(digest)):
            report.layers.append((Digest(digest), size))
    report.strays.extend(_sweep(root, partials_older))
    root.hold_ballast()
    return report


def _delete_rows(root: Root) -> tuple[list[str], list[tuple[str, int]]]:
    """The first half: rows go. Durable, lest a loss of power bring back rows whose files are gone."""
    with root.transaction(durable=True) as db:
        dead = dead_leases(db)
        for ident in dead:
            drop_lease(db, ident)
        blobs, layers = garbage(db, [])
        alive = "(SELECT digest FROM temp.alive)"
        db.execute(f"DELETE FROM blob WHERE digest NOT IN {alive}")
        db.execute(f"DELETE FROM layer WHERE diff_id NOT IN {alive}")
        # What a referrer says of its subject stays as long as the referrer; other edges belong to their parent.
        db.execute(f"DELETE FROM edge WHERE kind = 'subject' AND child NOT IN {alive}")
        db.execute(f"DELETE FROM edge WHERE kind <> 'subject' AND parent NOT IN {alive}")
        db.execute(f"DELETE FROM diff WHERE blob NOT IN {alive} AND diff_id NOT IN {alive}")
        db.execute(f"DELETE FROM origin WHERE digest NOT IN {alive}")
    return blobs, layers


def remove_blob(root: Root, digest: Digest) -> int | None:
    """The second half for one blob. Returns the bytes freed, None when it is in use again or was not there."""
    path = root.blobs.path_of(digest)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        # An ingest holds this lock from its first byte until the blob's row is written.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with root.transaction() as db:
            if db.execute("SELECT 1 FROM blob WHERE digest = ?", (digest,)).fetchone():
                return None
            size = os.fstat(descriptor).st_blocks * 512
            return size if root.blobs.remove(digest) else None
    except BlockingIOError:
        return None
    finally:
        os.close(descriptor)


def _remove_layer(root: Root, digest: Digest) -> bool:
    from hardtack.store.layer import LayerStore

    return LayerStore(root).remove(digest)


def _sweep(root: Root, partials_older: float) -> Iterator[tuple[str, int]]:
    """What no row knows: blobs from a death before their row, old partial downloads, forgotten temporary files."""
    known = {row[0] for row in root.db.execute("SELECT digest FROM blob")}
    for digest in root.blobs:
        if digest not in known:
            size = remove_blob(root, digest)
            if size is not None:
                yield os.path.relpath(root.blobs.path_of(digest), root.path), size
    now = time.time()
    for name, age in _aged(f"{root.path}/ingest", now):
        if age >= partials_older and (size := _remove_partial(f"{root.path}/ingest/{name}")):
            yield f"ingest/{name}", size
    for name, age in _aged(root.tmp, now):
        if age >= _LEFTOVER_SECONDS:
            path = f"{root.tmp}/{name}"
            size = _remove_leftover(path)
            if size is not None:
                yield os.path.relpath(path, root.path), size
    from hardtack.store.layer import LayerStore

    yield from LayerStore(root).sweep()


def _remove_leftover(path: str) -> int | None:
    """Remove a temporary file or directory that nobody holds a lock on. Returns the bytes freed."""
    from hardtack.store.layer.remove import remove_tree

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        descriptor = -1  # a link, a socket, or gone
    try:
        if descriptor >= 0:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        size = tree_size(path)
        if os.path.isdir(path) and not os.path.islink(path):
            remove_tree(path)
        else:
            os.unlink(path)
    except OSError:  # locked, gone, or with something mounted in it: somebody's still
        return None
    finally:
        if descriptor >= 0:
            os.close(descriptor)
    return size


def _aged(path: str, now: float) -> list[tuple[str, float]]:
    """Names in a directory and how long ago each was changed; what is mounted there has another's age, and is left."""
    found = []
    device = os.stat(path).st_dev
    with os.scandir(path) as entries:
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if status.st_dev == device:
                found.append((entry.name, now - status.st_mtime))
    return found


def _remove_partial(path: str) -> int:
    """Unlink a partial download that nobody is writing. Returns the bytes freed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return 0
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = os.fstat(descriptor)
        if status.st_ino != os.stat(path, follow_symlinks=False).st_ino:  # it became a blob meanwhile
            return 0
        os.unlink(path)
        return status.st_blocks * 512
    except (BlockingIOError, FileNotFoundError):
        return 0
    finally:
        os.close(descriptor)
