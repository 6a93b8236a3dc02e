"""Everything about a container, in the shape of docker's API. Scripts read these fields without asking whether they are
there, so the ones that docker always has are always there.
"""

from __future__ import annotations

from hardtack.container import states
from hardtack.container.groups import namespace_mode
from hardtack.container.row import Container, Paths
from hardtack.linux import cgroup
from hardtack.network.settings import settings
from hardtack.oci.moment import format_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.store.root import Root

_HOST_CONFIG: dict[str, Any] = {
    "Binds": None,
    "ContainerIDFile": "",
    "LogConfig": {"Type": "json-file", "Config": {}},
    "NetworkMode": "bridge",
    "PortBindings": {},
    "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
    "AutoRemove": False,
    "VolumeDriver": "",
    "VolumesFrom": None,
    "ConsoleSize": [0, 0],
    "CapAdd": None,
    "CapDrop": None,
    "CgroupnsMode": "",
    "Dns": [],
    "DnsOptions": [],
    "DnsSearch": [],
    "ExtraHosts": None,
    "GroupAdd": None,
    "IpcMode": "private",
    "Cgroup": "",
    "Links": None,
    "OomScoreAdj": 0,
    "PidMode": "",
    "Privileged": False,
    "PublishAllPorts": False,
    "ReadonlyRootfs": False,
    "SecurityOpt": None,
    "UTSMode": "",
    "UsernsMode": "",
    "ShmSize": 67_108_864,
    "Runtime": "",
    "Isolation": "",
    "CpuShares": 0,
    "Memory": 0,
    "NanoCpus": 0,
    "CgroupParent": "",
    "BlkioWeight": 0,
    "BlkioWeightDevice": [],
    "BlkioDeviceReadBps": [],
    "BlkioDeviceWriteBps": [],
    "BlkioDeviceReadIOps": [],
    "BlkioDeviceWriteIOps": [],
    "CpuPeriod": 0,
    "CpuQuota": 0,
    "CpuRealtimePeriod": 0,
    "CpuRealtimeRuntime": 0,
    "CpusetCpus": "",
    "CpusetMems": "",
    "Devices": [],
    "DeviceCgroupRules": None,
    "DeviceRequests": None,
    "MemoryReservation": 0,
    "MemorySwap": 0,
    "MemorySwappiness": None,
    "OomKillDisable": None,
    "PidsLimit": None,
    "Ulimits": [],
    "CpuCount": 0,
    "CpuPercent": 0,
    "IOMaximumIOps": 0,
    "IOMaximumBandwidth": 0,
    "MaskedPaths": [],
    "ReadonlyPaths": [],
}
_NULL = ("Binds", "CapAdd", "CapDrop", "ExtraHosts", "GroupAdd", "SecurityOpt")
"""Lists of the HostConfig that docker shows as null when nothing was given."""
_CONFIG: dict[str, Any] = {
    "Hostname": "",
    "Domainname": "",
    "User": "",
    "AttachStdin": False,
    "AttachStdout": True,
    "AttachStderr": True,
    "Tty": False,
    "OpenStdin": False,
    "StdinOnce": False,
    "Env": [],
    "Cmd": None,
    "Image": "",
    "Volumes": None,
    "WorkingDir": "",
    "Entrypoint": None,
    "OnBuild": None,
    "Labels": {},
}


def inspect(root: Root, container: Container, size: bool = False) -> dict[str, Any]:
    """A container's document.

    Args:
        size: add SizeRw and SizeRootFs, which costs a walk through what it has written.
    Source: docker Engine API, ContainerInspect.
    """
    paths = Paths(root, container.id)
    config = container.config
    host_config = {**_HOST_CONFIG, **container.host_config}
    host_config["CgroupnsMode"] = namespace_mode(host_config["CgroupnsMode"], cgroup.layout())
    for key in _NULL:
        host_config[key] = host_config[key] or None
    words = [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ()), ""]
    mode = host_config["NetworkMode"] or "bridge"
    logs = (host_config["LogConfig"] or {}).get("Type") != "none"
    running = container.state in states.ALIVE
    found: dict[str, Any] = {
        "Id": container.id,
        "Created": format_time(container.created),
        "Path": words[0],
        "Args": words[1:-1],
        "State": state(container),
        "Image": container.image_id,
        "ResolvConfPath": f"{paths.run}/resolv.conf" if running else "",
        "HostnamePath": f"{paths.run}/hostname" if running else "",
        "HostsPath": f"{paths.run}/hosts" if running else "",
        "LogPath": paths.log if logs else "",
        "Name": f"/{container.name}",
        "RestartCount": container.restarts,
        "Driver": "overlay2",
        "Platform": container.document.get("Platform") or "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": None,
        "HostConfig": host_config,
        "GraphDriver": {
            "Data": {"UpperDir": paths.upper, "WorkDir": paths.work, "MergedDir": paths.rootfs},
            "Name": "overlay2",
        },
        "Mounts": container.document.get("Mounts") or [],
        "Config": {**_CONFIG, **config},
        "NetworkSettings": settings(root.db, container.id, mode, config.get("ExposedPorts") or {}),
        "ImageManifestDescriptor": {"digest": container.image},
    }
    if size:
        from hardtack.container.listing import size as measure

        found["SizeRw"], found["SizeRootFs"] = measure(root, container)
    return found


def state(container: Container) -> dict[str, Any]:
    """docker's State. A paused container counts as running, as in docker."""
    return {
        "Status": container.state,
        "Running": container.state in states.ALIVE,
        "Paused": container.state == states.PAUSED,
        "Restarting": container.state == states.RESTARTING,
        "OOMKilled": container.oom,
        "Dead": container.state == states.DEAD,
        "Pid": container.pid,
        "ExitCode": container.exit_code,
        "Error": container.error,
        "StartedAt": format_time(container.started),
        "FinishedAt": format_time(container.finished),
    }
