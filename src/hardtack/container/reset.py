"""Throwing one root's world away: its containers, what it has in the kernel, its run directory, everything it holds.

Only what hardtack itself puts into a directory is deleted there: a root or a run directory may be shared with others'
files. The root's id goes last, so that whoever dies in between can be followed by another reset.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time

from hardtack.container import groups
from hardtack.container.errors import ContainerError, NoSuchContainer
from hardtack.container.tree import remove_tree
from hardtack.linux import mount, rtnetlink
from hardtack.linux.process import is_alive
from hardtack.network.bridge import bridge_name
from hardtack.store.disk import tree_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.store.root import Root

_DURABLE = frozenset(
    ("blobs", "build", "containers", "damaged", "ingest", "layers", "tmp", "volumes", "ballast", "state.db", "id")
)
_RUN = frozenset(("containers", "layers", "locks", "oci", "seccomp"))
_BEGINNINGS = ("state.db-", "id.", "build-", "monitor-faults")
_PATIENCE = 5.0
_COUNTED = (
    ("containers", "SELECT count(*) FROM container"),
    ("volumes", "SELECT count(*) FROM volume"),
    ("images", "SELECT count(*) FROM image"),
    ("steps", "SELECT count(*) FROM build_step"),
)


class AtWork(ContainerError):
    """Processes pull, build or load into the root."""

    def __init__(self, path: str, workers: list[str]) -> None:
        what = "; ".join(workers)
        super().__init__(f"cannot reset {path}: it is in use: {what}", "Wait for that to end, or end it")
        self.workers = workers


class Reset:
    """What was thrown away.

    Attributes:
        containers, volumes, images, steps: how many there were; steps are those of the build cache.
        freed: bytes on disk.
        network: whether there was a bridge or a packet filter table.
        kept: names in the root that are not hardtack's and stayed.
    """

    __slots__ = ("containers", "freed", "images", "kept", "network", "steps", "volumes")

    def __init__(self) -> None:
        self.containers = 0
        self.volumes = 0
        self.images = 0
        self.steps = 0
        self.freed = 0
        self.network = False
        self.kept: list[str] = []


def in_kernel(root: Root) -> bool:
    """Whether the root has a bridge or a control group, or something mounted; a look that costs 50 µs."""
    from hardtack.linux import cgroup

    if rtnetlink.link_index(bridge_name(root.id)) or cgroup.exists(groups.parent_of(root)):
        return True
    return any(True for place in (root.run, root.path) for _ in _mounted_below(place))


def reset(root: Root, force: bool = False) -> Reset:
    """Throw everything of a root away. It may be opened again afterwards, and is a new one then.

    Args:
        force: also while others pull or build; they fail.
    Raises:
        AtWork: they do, and `force` is not given.
        ContainerError: a container does not end, or something stays mounted; nothing but containers is gone then.
    """
    done = Reset()
    lock = os.open(root.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(f"{root.path}/id"):  # another reset was faster
            return done
        if not force and (workers := _at_work(root)):
            raise AtWork(root.path, workers)
        for name, query in _COUNTED:
            setattr(done, name, root.db.execute(query).fetchone()[0])
        _end_containers(root)
        done.network = take_from_kernel(root)
        done.freed = tree_size(root.path)
        root.close()
        _clear(root.run, _RUN)
        _remove_if_empty(root.run)
        done.kept = _clear(root.path, _DURABLE)
    finally:
        os.close(lock)
    return done


def take_from_kernel(root: Root) -> bool:
    """Take away a root's bridge, its packet filter table, its control groups and its mounts, whatever runs.

    Returns:
        Whether there was a bridge or a table.
    Raises:
        ContainerError: something stays mounted.
        NetlinkError, NftablesError: the kernel refused.
    """
    found = False
    if os.geteuid() == 0:
        from hardtack.network.world import destroy_world

        found = destroy_world(root, force=True)
    groups.tidy(root)
    for place in (root.run, root.path):
        for target in reversed(list(_mounted_below(place))):
            try:
                mount.umount(target, mount.MNT_DETACH | mount.UMOUNT_NOFOLLOW)
            except OSError:
                continue  # gone meanwhile, or it is found again below
        if left := list(_mounted_below(place)):
            raise ContainerError(f"cannot reset {root.path}: {left[0]} stays mounted", "Unmount it, then try again")
    return found


def _at_work(root: Root) -> list[str]:
    rows = root.db.execute("SELECT pid, ticks, boot, purpose FROM lease ORDER BY created").fetchall()
    return [
        f"process {pid} ({purpose})"
        for pid, ticks, boot, purpose in rows
        if pid != os.getpid() and is_alive(pid, ticks, boot)
    ]


def _end_containers(root: Root) -> None:
    """Stop and remove every container, with those that somebody starts meanwhile, and what has no row."""
    from hardtack.container.reconcile import end_processes, sweep
    from hardtack.container.remove import remove
    from hardtack.linux import cgroup

    while rows := root.db.execute("SELECT id FROM container").fetchall():
        for (ident,) in rows:
            try:
                remove(root, ident, force=True, volumes=True)
            except NoSuchContainer:
                continue
    sweep(root)
    for ident in cgroup.children(groups.parent_of(root)):
        end_processes(root, ident)


def _mounted_below(place: str) -> list[str]:
    """Mount points below a directory; not itself, which may be a disk of its own."""
    real = os.path.realpath(place)
    return [entry.target for entry in mount.mounts(real) if entry.target != real]


def _clear(directory: str, ours: frozenset[str]) -> list[str]:
    """Delete what is ours in a directory, the file `id` after everything else. Returns the names of what is not."""
    try:
        found = sorted(os.listdir(directory), key=lambda name: (name == "id", name))
    except FileNotFoundError:
        return []
    kept = []
    for name in found:
        path = f"{directory}/{name}"
        if name not in ours and not name.startswith(_BEGINNINGS):
            kept.append(name)
        elif os.path.isdir(path) and not os.path.islink(path):
            _remove_busy(path)
        else:
            os.unlink(path)
    return kept


def _remove_busy(path: str) -> None:
    """Remove a directory although somebody may still write into it: a monitor that had nothing to start."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            remove_tree(path)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _remove_if_empty(directory: str) -> None:
    try:
        os.rmdir(directory)
    except OSError:
        return
