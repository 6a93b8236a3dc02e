"""From the flags of `run` and `create` to docker's create request: Config and HostConfig in one document.

Pure: files and environment that flags point at were read before. What is not supported is refused here, with the
flag's name, so that nothing is ever silently ignored.
"""

from __future__ import annotations

from hardtack.container import values
from hardtack.container.capabilities import normalise
from hardtack.container.errors import InvalidOption, Unsupported
from hardtack.linux import signals
from hardtack.network.files import check_nameserver, parse_extra_host
from hardtack.network.ports import parse_expose, parse_publish, to_bindings
from hardtack.volume.parse import parse_mount, parse_tmpfs, parse_volume
from hardtack.volume.spec import to_document

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
    if options.stop_signal and signals.number(options.stop_signal) is None:
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
        "ExposedPorts": {key: {} for text in options.expose for key in parse_expose(text)},
    }
    if "entrypoint" in options.given:
        config["Entrypoint"] = [options.entrypoint]
    if options.stop_signal:
        config["StopSignal"] = options.stop_signal
    if "stop-timeout" in options.given:
        config["StopTimeout"] = options.stop_timeout
    if options.no_healthcheck:
        config["Healthcheck"] = {"Test": ["NONE"]}
    published = [publish for text in options.publish for publish in parse_publish(text)]
    for publish in published:
        config["ExposedPorts"].setdefault(f"{publish.container_port}/{publish.protocol}", {})
    return config


def attached_streams(options: Any) -> frozenset[str]:
    """The streams that whoever starts the container is connected to: all it has, those named by -a, none with -d.

    Raises:
        InvalidOption: a name that is no stream.
    """
    detached = getattr(options, "detach", False)
    chosen = frozenset(name.lower() for name in options.attach)
    if unknown := chosen - {"stdin", "stdout", "stderr"}:
        raise InvalidOption("--attach", min(unknown), "valid streams are STDIN, STDOUT and STDERR")
    if detached and chosen:
        raise InvalidOption("--attach", ", ".join(sorted(chosen)), "Conflicting options: -a and -d")
    if detached or chosen:
        return chosen
    return frozenset(("stdin", "stdout", "stderr") if options.interactive else ("stdout", "stderr"))


def _host_config(options: Any, read: Read) -> dict[str, Any]:
    network = options.network or "bridge"
    published = [publish for text in options.publish for publish in parse_publish(text)]
    host: dict[str, Any] = {
        "Binds": [_bind(text, read.directory) for text in options.volume],
        "Mounts": [to_document(parse_mount(text, read.directory)) for text in options.mount],
        "Tmpfs": _tmpfs(options.tmpfs),
        "NetworkMode": network,
        "NetworkAliases": list(options.network_alias),
        "PortBindings": to_bindings(published),
        "PublishAllPorts": options.publish_all,
        "Dns": [check_nameserver(text) for text in options.dns],
        "DnsOptions": list(options.dns_option),
        "DnsSearch": list(options.dns_search),
        "ExtraHosts": [":".join(parse_extra_host(text)) for text in options.add_host],
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
    return host | _isolation(options, read) | _limits(options)


def _bind(text: str, cwd: str) -> str:
    """A value of -v that means the same from any directory."""
    spec = parse_volume(text, cwd)
    if spec.kind != "bind":
        return text
    return f"{spec.source}:{spec.target}" + (f":{spec.mode}" if spec.mode else "")


def _tmpfs(texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        path, _, options = text.partition(":")
        parse_tmpfs(path, options)
        found[path] = options
    return found


def _isolation(options: Any, read: Read) -> dict[str, Any]:
    security = values.security_options(options.security_opt)
    value: dict[str, Any] = {
        "Privileged": options.privileged,
        "CapAdd": [normalise(name, "--cap-add") for name in options.cap_add],
        "CapDrop": [normalise(name, "--cap-drop") for name in options.cap_drop],
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


def _limits(options: Any) -> dict[str, Any]:
    if options.cpus < 0 or options.memory < 0:
        raise InvalidOption("--cpus or --memory", "a negative number", "a limit is positive")
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
