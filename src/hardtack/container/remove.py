"""Take a container away: its files, its hold on the image, its row; and what a run leaves in the run directory.

The state decides whether it may go; then the row says "removing" and has no name, so that whoever dies in between
leaves something that the next command finishes.
"""

from __future__ import annotations

import os

from hardtack.container.row import Paths, cgroup_of
from hardtack.container.tree import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.store.root import Root


def clean_run(paths: Paths) -> None:
    """Remove what one run left in the run directory. Its mount point is empty here: it was used in the enclosure."""
    try:
        names = os.listdir(paths.run)
    except FileNotFoundError:
        return
    for name in names:
        path = f"{paths.run}/{name}"
        try:
            if name == "rootfs":
                os.rmdir(path)
            else:
                os.unlink(path)
        except IsADirectoryError:
            remove_tree(path)
        except FileNotFoundError:
            continue
    os.rmdir(paths.run)


def erase(root: Root, ident: str, volumes: bool = True) -> None:
    """Remove the files and the row of a container that has ended and whose row says so.

    Args:
        volumes: its anonymous volumes go too.
    """
    from hardtack.linux import cgroup

    paths = Paths(root, ident)
    remove_tree(paths.durable)
    remove_tree(paths.run)
    cgroup.remove(cgroup_of(root, ident))
    if root.db.execute("SELECT 1 FROM volume_use WHERE container = ?", (ident,)).fetchone() is not None:
        from hardtack.volume.mounts import drop

        drop(root, ident, volumes)
    with root.transaction() as db:
        db.execute("DELETE FROM keep WHERE holder = ?", (f"container:{ident}",))
        db.execute("DELETE FROM container WHERE id = ?", (ident,))
