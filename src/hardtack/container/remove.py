"""Take a container away: its files, its hold on the image, its row; and what a run leaves in the run directory.

The state decides whether it may go; then the row says "removing" and has no name, so that whoever dies in between
leaves something that the next command finishes.
"""

from __future__ import annotations

import os
import time

from hardtack.container import states
from hardtack.container.errors import ContainerError
from hardtack.container.row import Paths, cgroup_of, claim, get
from hardtack.container.tree import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.container.row import Container
    from hardtack.store.root import Root

_PATIENCE = 60.0
_POLL = 0.003


def remove(root: Root, text: str, force: bool = False, volumes: bool = False) -> None:
    """Remove a container.

    Args:
        force: kill it first if it runs.
        volumes: remove its anonymous volumes, too.
    Raises:
        NoSuchContainer, AmbiguousContainer.
        ContainerError: it runs and is not to be killed.
    """
    from hardtack.container.control import kill_now
    from hardtack.container.current import current

    container = current(root, text)
    if container.state in states.ALIVE:
        if not force:
            _refuse(container)
        kill_now(root, container)
    if _take(root, container.id):
        erase(root, container.id, volumes or container.autoremove)


def _refuse(container: Container) -> None:
    if container.state == states.PAUSED:
        why = "container is paused and must be unpaused first"
    else:
        why = f"container is {container.state}: stop the container before removing or force remove"
    raise ContainerError(f'cannot remove container "/{container.name}": {why}')


def _take(root: Root, ident: str) -> bool:
    """Claim a container for its removal, once the last run is cleaned up. Returns whether there is still one."""
    from hardtack.container.reconcile import settle

    until = time.monotonic() + _PATIENCE
    while True:
        with root.transaction() as db:
            found = get(db, ident)
            if found is None:
                return False
            if found.monitor == 0 and "remove" in states.TRANSITIONS[found.state]:
                db.execute("UPDATE container SET state = 'removing', name = NULL WHERE id = ?", (ident,))
                claim(db, ident)
                return True
        if not found.claimed():
            settle(root, found)
        elif time.monotonic() > until:
            raise ContainerError(f"cannot remove container {ident[:12]}: process {found.monitor} holds it")
        else:
            time.sleep(_POLL)


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
    try:
        os.rmdir(paths.run)
    except FileNotFoundError:
        return


def erase(root: Root, ident: str, volumes: bool = True) -> None:
    """Remove the files and the row of a container that has ended and whose row says so.

    Args:
        volumes: its anonymous volumes go too.
    """
    from hardtack.container import groups
    from hardtack.linux import cgroup

    paths = Paths(root, ident)
    remove_tree(paths.durable)
    remove_tree(paths.run)
    cgroup.remove(cgroup_of(root, ident))
    groups.tidy(root)
    if root.db.execute("SELECT 1 FROM volume_use WHERE container = ?", (ident,)).fetchone() is not None:
        from hardtack.volume.mounts import drop

        drop(root, ident, volumes)
    with root.transaction() as db:
        db.execute("DELETE FROM keep WHERE holder = ?", (f"container:{ident}",))
        db.execute("DELETE FROM container WHERE id = ?", (ident,))
