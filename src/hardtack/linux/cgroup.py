"""Control groups as they are mounted: v1, v2, or both side by side; where a group's files are, what they say.

Creating groups and setting limits is the OCI runtime's work. Here is what must be known beside it: the layout, whether
a group ran out of memory, which processes are in it, and taking away an empty one.
"""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MOUNT = "/sys/fs/cgroup"
V1 = "v1"
HYBRID = "hybrid"
V2 = "v2"
NONE = "none"


def layout(mount: str = MOUNT) -> str:
    """How control groups are mounted: `V1`, `HYBRID` (v1 beside a v2 tree), `V2` or `NONE`."""
    if os.path.exists(f"{mount}/cgroup.controllers"):
        return V2
    if not os.path.exists(f"{mount}/memory") and not os.path.exists(f"{mount}/pids"):
        return NONE
    return HYBRID if os.path.exists(f"{mount}/unified/cgroup.controllers") else V1


def unified_controllers(mount: str = MOUNT) -> list[str]:
    """The controllers that the v2 tree of a hybrid layout holds."""
    text = _read(f"{mount}/unified/cgroup.controllers")
    return text.split()


def hierarchies(mount: str = MOUNT) -> list[str]:
    """The directories under which a group called PATH is found at directory/PATH."""
    if os.path.exists(f"{mount}/cgroup.controllers"):
        return [mount]
    try:
        names = sorted(os.listdir(mount))
    except FileNotFoundError:
        return []
    found = [f"{mount}/{name}" for name in names if not os.path.islink(f"{mount}/{name}")]
    return [path for path in found if os.path.exists(f"{path}/cgroup.procs")]  # an enclosure has a dummy among them


def has_swap_limits(kind: str, mount: str = MOUNT) -> bool:
    """Whether the kernel accounts swap per group."""
    if kind == V2:
        return os.path.exists("/proc/swaps")
    return os.path.exists(f"{mount}/memory/memory.memsw.limit_in_bytes")


def oom_kills(path: str, mount: str = MOUNT) -> int:
    """How many processes of a group the kernel killed for want of memory; 0 when the group is gone.

    Source: kernel, admin-guide/cgroup-v1/memory.rst section 10; cgroup-v2.rst "memory.events".
    """
    for name in (f"{mount}/memory{path}/memory.oom_control", f"{mount}{path}/memory.events"):
        for line in _read(name).splitlines():
            key, _, value = line.partition(" ")
            if key == "oom_kill":
                return int(value)
    return 0


def processes(path: str, mount: str = MOUNT) -> set[int]:
    """The processes in a group and the groups below it, over every hierarchy."""
    found: set[int] = set()
    for hierarchy in hierarchies(mount):
        for group in _tree(hierarchy + path):
            found.update(int(line) for line in _read(f"{group}/cgroup.procs").split() if line.isdigit())
    return found


def exists(path: str, mount: str = MOUNT) -> bool:
    """Whether any hierarchy has the group."""
    return any(os.path.isdir(hierarchy + path) for hierarchy in hierarchies(mount))


def remove(path: str, mount: str = MOUNT) -> bool:
    """Take away a group and what is below it, where no process is left in it.

    Returns:
        Whether it is gone everywhere.
    """
    gone = True
    for hierarchy in hierarchies(mount):
        for group in reversed(list(_tree(hierarchy + path))):
            try:
                os.rmdir(group)
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
                    raise
                gone = False
    return gone


def children(path: str, mount: str = MOUNT) -> set[str]:
    """The names of the groups directly below one."""
    names: set[str] = set()
    for hierarchy in hierarchies(mount):
        try:
            with os.scandir(hierarchy + path) as entries:
                names.update(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        except OSError:
            continue
    return names


def warm_up(mount: str = MOUNT) -> None:
    """Have the kernel ready for moving a process between groups.

    The first move after a quiet moment waits for a grace period of RCU, those within the next 20 ms do not: so move
    ourselves to where we are, in a thread, while there is something else to do.

    Source: kernel, cgroup_attach_lock, percpu-rwsem and rcu_sync.
    """
    for line in _read("/proc/self/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        if not names:
            group = mount + path if os.path.exists(f"{mount}/cgroup.controllers") else f"{mount}/unified{path}"
        else:
            group = f"{mount}/{names.removeprefix('name=')}{path}"
        try:
            descriptor = os.open(f"{group}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            os.write(descriptor, b"0")
        except OSError:
            continue
        finally:
            os.close(descriptor)
        return


def _tree(group: str) -> Iterator[str]:
    """A group, then the groups below it, parents first."""
    if not os.path.isdir(group):
        return
    yield group
    try:
        with os.scandir(group) as entries:
            below = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return
    for child in below:
        yield from _tree(child)


def _read(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        pieces = []
        while piece := os.read(descriptor, 65536):
            pieces.append(piece)
        return b"".join(pieces).decode("ascii", "replace")
    except OSError as error:
        if error.errno == errno.ENODEV:  # the group went away under us
            return ""
        raise
    finally:
        os.close(descriptor)
