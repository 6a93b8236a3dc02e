"""From the flags of `run` and `create` to docker's create request: Config and HostConfig in one document.

Pure: files and environment that flags point at were read before. What is not supported is refused here, with the
flag's name, so that nothing is ever silently ignored.
"""

from __future__ import annotations

from hardtack.container import values
from hardtack.container.errors import InvalidOption, Unsupported
from hardtack.container.wanted import attached_streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_MAX_SHARES = 262_144

LATER: dict[str, str] = {
    "annotation": "annotations would reach the OCI runtime and could steer it",
    "cgroup_parent": "the control group follows from the root",
    "device_cgroup_rule": "name the devices by --device",
    "gpus": "no GPU runtime is supported",
    "ip": "user-defined networks are not there yet",
    "ip6": "user-defined networks are not there yet",
    "link": "links are not there; containers will find each other by name on a user-defined network",
    "mac_address": "it is not there yet",
    "storage_opt": "the layer drivers keep no quota",
    "volume_driver": "the only volume driver is local",
    "volumes_from": "name the volumes by -v",
}
"""Flags that docker has and that are refused, with the reason."""


class Read:
    """What flags point at, read before.

    Attributes:
        environment: our own, for `-e NAME`.
        variables, labels: out of --env-file and --label-file.
        profiles: by the value of --security-opt seccomp=FILE, the same with the file's content.
        directory: where relative paths of -v and --mount begin.
    """

    __slots__ = ("directory", "environment", "labels", "profiles", "variables")

    def __init__(self) -> None:
        self.environment: Mapping[str, str] = {}
        self.variables: list[str] = []
        self.labels: dict[str, str] = {}
        self.profiles: dict[str, str] = {}
        self.directory = "/"


def make_body(options: Any, read: Read, image: str, command: Sequence[str]) -> dict[str, Any]:
    """Make the create request.

    Args:
        options: an object with an attribute per flag of `run`, and `given`, the names of those on the line.
        image: as it was typed.
        command: the words after it.
    Raises:
        InvalidOption: a value that has no meaning, or flags that contradict each other.
        Unsupported: what docker has and this has not.
    """
    for attribute, why in LATER.items():
        if getattr(options, attribute, None):
            raise Unsupported("--" + attribute.replace("_", "-"), why)
    _check(options)
    body = _config(options, read, image, command)
    body["HostConfig"] = _host_config(options, read)
    return body


def _check(options: Any) -> None:
    if options.init:
        raise Unsupported("--init", "neither tini nor catatonit is built in", "Let the image bring its own init")
    if options.userns not in ("", "host"):
        raise Unsupported(f"--userns {options.userns}", "user namespaces are not there yet")
    if options.health_cmd or any(name.startswith("health-") for name in options.given):
        raise Unsupported("--health-cmd and its like", "health checks do not run yet", "Leave them out")
    if options.rm and options.restart not in ("", "no"):
        raise InvalidOption("--restart", options.restart, "Conflicting options: --restart and --rm")
    if options.hostname and options.network == "host" and options.uts == "host":
        raise InvalidOption("--hostname", options.hostname, "it conflicts with --uts host")
    if not options.stop_signal:
        return
    from hardtack.linux import signals

    if signals.number(options.stop_signal) is None:
        raise InvalidOption("--stop-signal", options.stop_signal, "there is no such signal")


def _config(options: Any, read: Read, image: str, command: Sequence[str]) -> dict[str, Any]:
    attached = attached_streams(options)
    config: dict[str, Any] = {
        "Hostname": options.hostname,
        "Domainname": options.domainname,
        "User": options.user,
        "Tty": options.tty,
        "OpenStdin": options.interactive,
        "StdinOnce": options.interactive and "stdin" in attached,
        "AttachStdin": "stdin" in attached,
        "AttachStdout": "stdout" in attached,
        "AttachStderr": "stderr" in attached,
        "Env": values.environment([*read.variables, *options.env], read.environment),
        "Cmd": list(command),
        "Image": image,
        "WorkingDir": _absolute("--workdir", options.workdir),
        "Labels": {**read.labels, **values.labels(options.label)},
        "ExposedPorts": _exposed(options),
    }
    if "entrypoint" in options.given:
        config["Entrypoint"] = [options.entrypoint]
    if options.stop_signal:
        config["StopSignal"] = options.stop_signal
    if "stop-timeout" in options.given:
        config["StopTimeout"] = options.stop_timeout
    if options.no_healthcheck:
        config["Healthcheck"] = {"Test": ["NONE"]}
    return config


def _exposed(options: Any) -> dict[str, Any]:
    if not (options.expose or options.publish):
        return {}
    from hardtack.network.ports import parse_expose, parse_publish

    keys = [key for text in options.expose for key in parse_expose(text)]
    keys += [f"{item.container_port}/{item.protocol}" for text in options.publish for item in parse_publish(text)]
    return {key: {} for key in keys}


def _host_config(options: Any, read: Read) -> dict[str, Any]:
    network = options.network or "bridge"
    host: dict[str, Any] = {
        "NetworkMode": network,
        "NetworkAliases": list(options.network_alias),
        "PublishAllPorts": options.publish_all,
        "DnsOptions": list(options.dns_option),
        "DnsSearch": list(options.dns_search),
        "AutoRemove": options.rm,
        "RestartPolicy": values.restart_policy(options.restart),
        "LogConfig": values.log_config(options.log_driver, options.log_opt),
        "ReadonlyRootfs": options.read_only,
        "GroupAdd": list(options.group_add),
        "Sysctls": values.sysctls(options.sysctl, network, options.ipc),
        "Ulimits": values.ulimits(options.ulimit),
        "Runtime": options.runtime,
        "Init": False,
    }
    return host | _mounts(options, read) | _names(options) | _isolation(options, read) | _limits(options)


def _mounts(options: Any, read: Read) -> dict[str, Any]:
    """Binds, Mounts and Tmpfs; a start without any imports nothing for them."""
    if not (options.volume or options.mount or options.tmpfs):
        return {"Binds": [], "Mounts": [], "Tmpfs": {}}
    from hardtack.volume.parse import parse_mount, parse_tmpfs, parse_volume
    from hardtack.volume.spec import to_document

    binds, tmpfs = [], {}
    for text in options.volume:
        spec = parse_volume(text, read.directory)
        if spec.kind == "bind":  # the same from any directory
            binds.append(f"{spec.source}:{spec.target}" + (f":{spec.mode}" if spec.mode else ""))
        else:
            binds.append(text)
    for text in options.tmpfs:
        path, _, words = text.partition(":")
        parse_tmpfs(path, words)
        tmpfs[path] = words
    mounts = [to_document(parse_mount(text, read.directory)) for text in options.mount]
    return {"Binds": binds, "Mounts": mounts, "Tmpfs": tmpfs}


def _names(options: Any) -> dict[str, Any]:
    """PortBindings, Dns and ExtraHosts."""
    value: dict[str, Any] = {"PortBindings": {}, "Dns": [], "ExtraHosts": []}
    if options.publish:
        from hardtack.network.ports import parse_publish, to_bindings

        value["PortBindings"] = to_bindings([item for text in options.publish for item in parse_publish(text)])
    if options.dns or options.add_host:
        from hardtack.network.files import check_nameserver, parse_extra_host

        value["Dns"] = [check_nameserver(text) for text in options.dns]
        value["ExtraHosts"] = [":".join(parse_extra_host(text)) for text in options.add_host]
    return value


def _isolation(options: Any, read: Read) -> dict[str, Any]:
    security = values.security_options(options.security_opt)
    value: dict[str, Any] = {
        "Privileged": options.privileged,
        "CapAdd": _capabilities("--cap-add", options.cap_add),
        "CapDrop": _capabilities("--cap-drop", options.cap_drop),
        "SecurityOpt": [read.profiles.get(entry, entry) for entry in security],
        "PidMode": _mode("--pid", options.pid, ("host", "container:")),
        "IpcMode": _mode("--ipc", options.ipc, ("host", "private", "none")) or "private",
        "UTSMode": _mode("--uts", options.uts, ("host",)),
        "CgroupnsMode": _mode("--cgroupns", options.cgroupns, ("host", "private")),
        "UsernsMode": options.userns,
        "Devices": [values.device(text) for text in options.device],
    }
    if "systempaths=unconfined" in security:
        value["MaskedPaths"], value["ReadonlyPaths"] = [], []
    return value


def _capabilities(option: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    from hardtack.container.capabilities import normalise

    return [normalise(name, option) for name in names]


def _limits(options: Any) -> dict[str, Any]:
    for option, value in (("--cpus", options.cpus), ("--memory", options.memory)):
        if value < 0:
            raise InvalidOption(option, value, "a limit is not negative")
    if not 0 <= options.cpu_shares <= _MAX_SHARES:
        raise InvalidOption("--cpu-shares", options.cpu_shares, f"it is a number from 2 to {_MAX_SHARES:,}")
    if options.blkio_weight and not 10 <= options.blkio_weight <= 1000:
        raise InvalidOption("--blkio-weight", options.blkio_weight, "it is a number from 10 to 1000")
    if not -1000 <= options.oom_score_adj <= 1000:
        raise InvalidOption("--oom-score-adj", options.oom_score_adj, "it is a number from -1000 to 1000")
    return {
        "Memory": options.memory,
        "MemoryReservation": options.memory_reservation,
        "MemorySwap": options.memory_swap,
        "MemorySwappiness": None if options.memory_swappiness == -1 else options.memory_swappiness,
        "OomKillDisable": options.oom_kill_disable,
        "OomScoreAdj": options.oom_score_adj,
        "NanoCpus": round(options.cpus * 1_000_000_000),
        "CpuShares": options.cpu_shares,
        "CpuPeriod": options.cpu_period,
        "CpuQuota": options.cpu_quota,
        "CpusetCpus": options.cpuset_cpus,
        "CpusetMems": options.cpuset_mems,
        "BlkioWeight": options.blkio_weight,
        "PidsLimit": options.pids_limit,
        "ShmSize": options.shm_size or 67_108_864,
    }


def _mode(option: str, text: str, allowed: tuple[str, ...]) -> str:
    if not text or any(
        text == word or (word.endswith(":") and text.startswith(word) and text != word) for word in allowed
    ):
        return text
    raise Unsupported(f"{option} {text}", f"here it is one of {', '.join(allowed)}")


def _absolute(option: str, path: str) -> str:
    if path and not path.startswith("/"):
        raise InvalidOption(option, path, "the working directory is invalid, it needs to be an absolute path")
    return path
