"""Limits: a container's HostConfig as the OCI object `linux.resources`, and its rlimits.

Rules only. A limit that this host cannot keep is an error, never a promise that nobody watches over.
"""

from __future__ import annotations

from hardtack.container.errors import InvalidOption, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.container.host import Host

_PERIOD = 100_000
_SMALLEST_MEMORY = 6 << 20
_DEFAULT_DEVICES = (  # null, zero, full, random, urandom, tty, console, ptmx, pts; making nodes is harmless
    ("c", 1, 3, "rwm"),
    ("c", 1, 5, "rwm"),
    ("c", 1, 7, "rwm"),
    ("c", 1, 8, "rwm"),
    ("c", 1, 9, "rwm"),
    ("c", 5, 0, "rwm"),
    ("c", 5, 1, "rwm"),
    ("c", 5, 2, "rwm"),
    ("c", 136, None, "rwm"),
    ("c", None, None, "m"),
    ("b", None, None, "m"),
)


def resources(host_config: dict[str, Any], host: Host, devices: list[dict[str, Any]]) -> dict[str, Any]:
    """Make `linux.resources`.

    Args:
        host_config: docker's HostConfig.
        devices: the container's further devices in the OCI form of `linux.devices`, with "access".
    Raises:
        InvalidOption: limits that contradict each other.
        Unsupported: a limit that this host cannot keep.
    """
    value: dict[str, Any] = {"devices": _device_rules(host_config, devices)}
    if memory := _memory(host_config, host):
        value["memory"] = memory
    if cpu := _cpu(host_config):
        value["cpu"] = cpu
    if (limit := host_config.get("PidsLimit") or 0) > 0:  # below it there is none; crun would write the number
        value["pids"] = {"limit": limit}
    if weight := host_config.get("BlkioWeight") or 0:
        value["blockIO"] = {"weight": weight}
    return value


def _memory(host_config: dict[str, Any], host: Host) -> dict[str, Any]:
    limit, swap = host_config.get("Memory") or 0, host_config.get("MemorySwap") or 0
    reservation = host_config.get("MemoryReservation") or 0
    value: dict[str, Any] = {}
    if limit:
        if limit < _SMALLEST_MEMORY:
            raise InvalidOption("--memory", limit, "Minimum memory limit allowed is 6MB")
        value["limit"] = limit
    if reservation:
        if limit and reservation > limit:
            raise InvalidOption("--memory-reservation", reservation, "it must not be more than --memory")
        value["reservation"] = reservation
    if swap:
        if not limit:
            raise InvalidOption(
                "--memory-swap", swap, "You should always set the Memory limit when using Memoryswap limit"
            )
        if 0 < swap < limit:
            raise InvalidOption("--memory-swap", swap, "it counts memory and swap together, so it is at least --memory")
        if not host.swap_limits:
            raise Unsupported("--memory-swap", "this kernel does not account swap", "Leave the flag out")
        value["swap"] = swap
    elif limit and host.swap_limits:
        value["swap"] = 2 * limit
    swappiness = host_config.get("MemorySwappiness")
    if swappiness is not None and swappiness != -1:
        value["swappiness"] = swappiness
    if host_config.get("OomKillDisable"):
        value["disableOOMKiller"] = True
    return value


def _cpu(host_config: dict[str, Any]) -> dict[str, Any]:
    nano = host_config.get("NanoCpus") or 0
    quota, period = host_config.get("CpuQuota") or 0, host_config.get("CpuPeriod") or 0
    if nano and (quota or period):
        raise InvalidOption("--cpus", nano / 1e9, "it conflicts with --cpu-quota and --cpu-period")
    value: dict[str, Any] = {}
    if nano:
        value["period"], value["quota"] = _PERIOD, nano * _PERIOD // 1_000_000_000
    if quota:
        value["quota"] = quota
    if period:
        value["period"] = period
    for key, field in (("shares", "CpuShares"), ("cpus", "CpusetCpus"), ("mems", "CpusetMems")):
        if host_config.get(field):
            value[key] = host_config[field]
    return value


def _device_rules(host_config: dict[str, Any], devices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if host_config.get("Privileged"):
        return [{"allow": True, "access": "rwm"}]
    rules: list[dict[str, Any]] = [{"allow": False, "access": "rwm"}]
    for kind, major, minor, access in _DEFAULT_DEVICES:
        rule: dict[str, Any] = {"allow": True, "type": kind, "access": access}
        if major is not None:
            rule["major"] = major
        if minor is not None:
            rule["minor"] = minor
        rules.append(rule)
    for device in devices:
        rule = {"allow": True, "access": device["access"]}
        rule |= {key: device[key] for key in ("type", "major", "minor")}
        rules.append(rule)
    return rules


def rlimits(ulimits: list[dict[str, Any]], host: Host) -> list[dict[str, Any]]:
    """Make `process.rlimits` of docker's Ulimits, lowered to what we hold ourselves where we may not raise.

    Raises:
        InvalidOption: a resource that the kernel has not.
    """
    value = []
    for ulimit in ulimits:
        name = ulimit["Name"]
        ours = host.rlimit(name)
        if ours is None:
            raise InvalidOption("--ulimit", name, "there is no such limit", "See getrlimit(2) for their names")
        soft, hard = ulimit["Soft"], ulimit["Hard"]
        if not host.held >> _SYS_RESOURCE & 1:
            hard = _least(hard, ours[1])
            soft = _least(soft, hard)
        value.append({"type": f"RLIMIT_{name.upper()}", "soft": _unsigned(soft), "hard": _unsigned(hard)})
    return value


_SYS_RESOURCE = 24


def _least(left: int, right: int) -> int:
    """The smaller of two limits, -1 being none."""
    if left < 0 or right < 0:
        return max(left, right)
    return min(left, right)


def _unsigned(limit: int) -> int:
    return limit if limit >= 0 else 0xFFFF_FFFF_FFFF_FFFF
