"""The control group of a root, under which every container's lies: made by whoever needs it, gone with the last one.

An OCI runtime makes a missing parent on its way to the container's group, and fails when somebody takes it away
between these two steps. So a start holds a lock while the runtime works, shared with other starts, and who takes the
group away wants it alone; a start at work takes it away at its own end.
"""

from __future__ import annotations

import errno
import fcntl
import os

from hardtack.linux import cgroup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.store.root import Root


def parent_of(root: Root) -> str:
    """The path of a root's control group in every hierarchy."""
    return f"/hardtack-{root.id}"


def namespace_mode(wanted: str, layout: str) -> str:
    """Whether a container sees its own tree of control groups, "private", or the "host"'s; docker's choice by default.

    Args:
        wanted: what was asked for, or "".
        layout: of the host's control groups, see `linux.cgroup`.
    """
    return wanted or ("private" if layout == cgroup.V2 else "host")


class Kept:
    """A with-block in which the root's control group is not taken away. It costs three system calls."""

    __slots__ = ("_descriptor", "_root")

    def __init__(self, root: Root) -> None:
        self._root = root
        self._descriptor = -1

    def __enter__(self) -> Kept:
        self._descriptor = _open(self._root, "groups")
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)
        return self

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # whatever child still has a copy of the descriptor
        os.close(self._descriptor)


def tidy(root: Root) -> bool:
    """Take the root's control group away if nothing is in it and nobody is about to need it.

    Returns:
        Whether it is gone from every hierarchy.
    """
    try:
        turn = _open(root, "groups-tidy")
    except FileNotFoundError:  # the run directory went, and whoever took it has looked after the group
        return False
    starts = -1
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)  # of two that end at once the second sees what the first has done
        starts = _open(root, "groups")
        fcntl.flock(starts, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _remove(parent_of(root))
    except (BlockingIOError, FileNotFoundError):
        return False
    finally:
        os.close(turn)
        if starts >= 0:
            os.close(starts)


def _remove(group: str) -> bool:
    for hierarchy in cgroup.hierarchies():
        try:
            os.rmdir(hierarchy + group)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno in (errno.EBUSY, errno.ENOTEMPTY, errno.EACCES, errno.EPERM, errno.EROFS):
                return False
            raise
    return True


def _open(root: Root, name: str) -> int:
    return os.open(f"{root.run}/locks/{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
