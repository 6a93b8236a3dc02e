"""What a host offers to containers and what was chosen for this root, with reasons; docker's keys where it has one."""

from __future__ import annotations

import os

import hardtack
from hardtack.container import states
from hardtack.container.errors import NoRuntime
from hardtack.container.runtime import choose
from hardtack.linux import cgroup
from hardtack.network.doctor import warnings as obstacles
from hardtack.store.layer import LayerStore
from hardtack.store.layer.errors import LayerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.store.root import Root

_LAYOUTS = {cgroup.V1: "v1", cgroup.HYBRID: "v1, with a v2 tree beside it", cgroup.V2: "v2", cgroup.NONE: "none"}

_ONLY_ROOT = "only root can mount layers and start containers for now"


def information(root: Root) -> dict[str, Any]:
    """Everything `tack info` shows. What does not work is said in the values and in "Warnings"."""
    system = os.uname()
    counts = dict(root.db.execute("SELECT state, count(*) FROM container GROUP BY state").fetchall())
    warnings: list[str] = []
    facts: dict[str, Any] = {
        "ID": root.id,
        "RootId": root.id,
        "Containers": sum(counts.values()),
        "ContainersRunning": counts.get(states.RUNNING, 0) + counts.get(states.RESTARTING, 0),
        "ContainersPaused": counts.get(states.PAUSED, 0),
        "Images": root.db.execute("SELECT count(*) FROM image").fetchone()[0],
        "DockerRootDir": root.path,
        "RunDir": root.run,
        "ServerVersion": hardtack.__version__,
        "LoggingDriver": "json-file",
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": _LAYOUTS[cgroup.layout()],
        "KernelVersion": system.release,
        "OSType": system.sysname.lower(),
        "Architecture": system.machine,
        "NCPU": os.cpu_count() or 1,
        "MemTotal": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "Name": system.nodename,
    }
    facts["ContainersStopped"] = facts["Containers"] - facts["ContainersRunning"] - facts["ContainersPaused"]
    if os.geteuid() == 0:
        facts |= _layers(root, warnings) | _runtime(root, warnings)
    else:
        facts |= {"Driver": "none", "DriverReason": _ONLY_ROOT, "DefaultRuntime": "none", "RuntimePath": ""}
        facts["RuntimeReason"] = _ONLY_ROOT
        warnings.append(f"{_ONLY_ROOT}. Run tack as root")
    facts["Warnings"] = warnings + obstacles(root)
    return facts


def _layers(root: Root, warnings: list[str]) -> dict[str, str]:
    try:
        choice = LayerStore(root).choice
    except LayerError as error:
        warnings.append(str(error))
        return {"Driver": "none", "DriverReason": error.message}
    return {"Driver": choice.driver, "DriverReason": choice.reason}


def _runtime(root: Root, warnings: list[str]) -> dict[str, str]:
    try:
        runtime = choose(root)
    except NoRuntime as error:
        warnings.append(str(error))
        return {"DefaultRuntime": "none", "RuntimePath": "", "RuntimeReason": error.message}
    return {
        "DefaultRuntime": f"{runtime.name} {runtime.version}",
        "RuntimePath": runtime.path,
        "RuntimeReason": runtime.why,
    }
