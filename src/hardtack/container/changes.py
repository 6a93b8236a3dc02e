"""What a container has changed in its file system, compared with its image: the lines of `diff`."""

from __future__ import annotations

import os

from hardtack.container.rootfs import MTAB
from hardtack.container.row import Paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.container.row import Container
    from hardtack.store.layer.changes import Change
    from hardtack.store.root import Root

_OURS = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev", "/dev/console", "/proc", "/sys", "/.dockerenv")
"""Places that a start makes so that something can be mounted there."""


def changes(root: Root, container: Container) -> list[Change]:
    """The changes, sorted by path: A added, C changed, D deleted; a directory counts as changed with what is in it.

    What a start has put there itself is left out where it is nothing but an empty place for a mount.
    """
    from hardtack.store.layer import LayerStore

    upper = Paths(root, container.id).upper
    if not os.path.isdir(upper):
        return []
    found = LayerStore(root).changes(upper, container.layers)
    places = {*_OURS, *(entry["Destination"] for entry in container.document.get("Mounts") or ())}
    ours = {change.path for change in found if change.path in places and _is_place(upper + change.path)}
    if _leads_to_mounts(f"{upper}/etc/mtab"):
        ours |= {change.path for change in found if change.path == "/etc/mtab"}
    return _without(found, ours)


def _without(found: list[Change], ours: set[str]) -> list[Change]:
    """Leave out some changes, and the directories that were made or have changed for nothing else."""
    above = {path[:end] for path in ours for end in range(1, len(path)) if path[end] == "/"}
    kept: list[Change] = []
    for change in reversed(found):  # what lies in a directory stands behind it
        if change.path in ours:
            continue
        if change.path in above and not _holds(change.path, kept):
            continue
        kept.append(change)
    return kept[::-1]


def _holds(directory: str, changes: list[Change]) -> bool:
    return any(change.path.startswith(directory + "/") for change in changes)


def _leads_to_mounts(path: str) -> bool:
    try:
        return os.readlink(path) == MTAB
    except OSError:
        return False


def _is_place(path: str) -> bool:
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            return not os.listdir(path)
        return os.lstat(path).st_size == 0
    except OSError:
        return False
