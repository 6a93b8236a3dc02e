"""Directories in which something is mounted for a moment: each tells in its name whose it is.

A process that dies within that moment leaves a mount behind. Since the name holds the process and the tick at which
it began, the next collection knows that nobody is there any more, and takes mount and directory away.
"""

from __future__ import annotations

import os

from hardtack.linux import mount as mounts
from hardtack.linux.process import is_alive, start_ticks
from hardtack.store.disk import tree_size
from hardtack.store.layer.mounting import release
from hardtack.store.layer.remove import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardtack.store.root import Root

_PREFIX = "brief-"


def make(root: Root) -> str:
    """A new, empty directory of this process for a brief mount; whoever makes it unmounts and removes it."""
    pid = os.getpid()
    path = f"{root.tmp}/{_PREFIX}{pid}-{start_ticks(pid)}-{os.urandom(4).hex()}"
    os.mkdir(path, 0o700)
    return path


def holder_of(path: str) -> str:
    """The name under which layers are held for the directory at `path`."""
    return f"view:{os.path.basename(path)}"


def sweep(root: Root) -> Iterator[tuple[str, int]]:
    """Unmount and remove the directories of processes that have ended.

    Returns:
        Names relative to the root, and the bytes freed, as they go.
    """
    for name in os.listdir(root.tmp):
        pid, _, ticks = name.removeprefix(_PREFIX).rpartition("-")[0].partition("-")
        if not (name.startswith(_PREFIX) and pid.isdecimal() and ticks.isdecimal()) or is_alive(int(pid), int(ticks)):
            continue
        path = f"{root.tmp}/{name}"
        mounts.unmount_all(path)
        release(root, holder_of(path))
        try:
            size = tree_size(path)
            remove_tree(path)
        except FileNotFoundError:  # another collection was here first
            continue
        yield os.path.relpath(path, root.path), size
