"""How the disk is used, in docker's four kinds and the rest, so that the sum is what `du` says of the root.

Sizes are blocks on disk, not lengths. What a kind could give back is computed by the rules of collection, for all
kinds together: a layer that an unused image and the build cache both keep is the image's to give. Directories that
stay when they are empty count as bookkeeping.
"""

from __future__ import annotations

import os

from hardtack.store.disk import disk_size, tree_size
from hardtack.store.holders import images_in_use
from hardtack.store.lease import dead_leases
from hardtack.store.reach import garbage, would_free

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.store.root import Root

IMAGES = "Images"
CONTAINERS = "Containers"
VOLUMES = "Local Volumes"
BUILD = "Build Cache"
DOWNLOADS = "Unfinished Downloads"
REST = "Bookkeeping"


class Share:
    """What one kind of thing takes.

    Attributes:
        kind: its name, docker's where docker has one.
        total, active: how many there are, and how many are in use.
        size: bytes on disk.
        reclaimable: bytes that pruning all of it that is unused would free.
    """

    __slots__ = ("active", "kind", "reclaimable", "size", "total")

    def __init__(self, kind: str, total: int, active: int, size: int, reclaimable: int) -> None:
        self.kind = kind
        self.total = total
        self.active = active
        self.size = size
        self.reclaimable = min(reclaimable, size)


def usage(root: Root) -> list[Share]:
    """The shares of every kind; their sizes add up to `du` of the root."""
    builds = [row[0] for row in root.db.execute("SELECT DISTINCT holder FROM keep WHERE holder LIKE 'build:%'")]
    cached = would_free(root, builds).freed if builds else 0
    shares = [
        _images(root, builds, cached),
        _containers(root),
        _volumes(root),
        _builds(root, cached),
        _downloads(root),
    ]
    rest = tree_size(root.path) - sum(share.size for share in shares)
    shares.append(Share(REST, 1, 1, rest, 0))
    return shares


def _images(root: Root, builds: list[str], cached: int) -> Share:
    rows = root.db.execute("SELECT digest, config FROM image").fetchall()
    used = images_in_use(root.db)
    active = [row for row in rows if row[0] in used or row[1] in used]
    idle = [f"image:{row[0]}" for row in rows if row not in active]
    blobs, layers = garbage(root.db, [f"lease:{ident}" for ident in dead_leases(root.db)])
    wasted = sum(disk_size(root.blobs.path_of(digest)) for digest in blobs) + sum(size for _, size in layers)
    ids = {row[1] for row in rows}
    freed = would_free(root, [*idle, *builds]).freed - cached
    return Share(IMAGES, len(ids), len({row[1] for row in active}), _content(root) - cached, wasted + freed)


def _content(root: Root) -> int:
    """Blobs and layers, without the directories that sort them."""
    total = sum(disk_size(root.blobs.path_of(digest)) for digest in root.blobs)
    base = f"{root.path}/layers"
    for algorithm in os.listdir(base):
        path = f"{base}/{algorithm}"
        total += tree_size(path) if algorithm.startswith(".") else _inside(path)
    return total


def _containers(root: Root) -> Share:
    rows = root.db.execute("SELECT id, state FROM container").fetchall()
    sizes = {row[0]: tree_size(f"{root.path}/containers/{row[0]}") for row in rows}
    running = [row[0] for row in rows if row[1] in ("running", "paused", "restarting")]
    idle = sum(size for ident, size in sizes.items() if ident not in running)
    return Share(CONTAINERS, len(rows), len(running), _inside(f"{root.path}/containers"), idle)


def _volumes(root: Root) -> Share:
    names = [row[0] for row in root.db.execute("SELECT name FROM volume")]
    used = {row[0] for row in root.db.execute("SELECT DISTINCT volume FROM volume_use")}
    idle = sum(tree_size(f"{root.path}/volumes/{name}") for name in names if name not in used)
    return Share(VOLUMES, len(names), len(used), _inside(f"{root.path}/volumes"), idle)


def _builds(root: Root, cached: int) -> Share:
    (total,) = root.db.execute("SELECT count(DISTINCT holder) FROM keep WHERE holder LIKE 'build:%'").fetchone()
    reclaimable = _inside(f"{root.path}/build/cache") + cached
    return Share(BUILD, total, 0, _inside(f"{root.path}/build/work") + reclaimable, reclaimable)


def _downloads(root: Root) -> Share:
    path = f"{root.path}/ingest"
    size = _inside(path)
    return Share(DOWNLOADS, len(os.listdir(path)), 0, size, size)


def _inside(directory: str) -> int:
    """What a directory holds, without the directory itself, which stays."""
    return tree_size(directory) - disk_size(directory)
