"""From a container's document to the OCI runtime's config.json: one pure function and the tables it reads.

Everything that had to be looked up (the user, what the host can do, mounts of volumes) comes in as a value. Labels
and other metadata of an image never reach the runtime: its annotations could steer it.

Source: OCI runtime-spec 1.1; the masked and read-only paths as in moby, oci/defaults.go.
"""

from __future__ import annotations

from hardtack import jsontext
from hardtack.container import capabilities as caps
from hardtack.container.groups import namespace_mode
from hardtack.container.resources import resources, rlimits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from hardtack.container.host import Host
    from hardtack.container.users import User

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_SHM = 64 << 20

MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

_SHM = "/dev/shm"  # noqa: S108  the container's
_SECCOMP_MARK = "@seccomp@"


class Placed:
    """What a start has looked up and decided outside of the rules.

    Attributes:
        rootfs: path of the mounted root file system.
        user: who the process is.
        cgroup: path of the control group.
        mounts: OCI mounts of volumes, binds and tmpfs, in any order.
        files: (destination, source) of files bound over the image's: /etc/hosts and its like.
        devices: further devices, OCI's form with "access".
        namespaces: path by kind for those that are joined, "" for those of the host; all others are new.
        hostname: "" for the host's own.
        propagation: of the root, "" for the runtime's own.
        size: rows and columns of its terminal, (0, 0) when nobody knows.
    """

    __slots__ = (
        "cgroup",
        "devices",
        "files",
        "hostname",
        "mounts",
        "namespaces",
        "propagation",
        "rootfs",
        "size",
        "user",
    )

    def __init__(
        self,
        rootfs: str,
        user: User,
        cgroup: str,
        mounts: Sequence[dict[str, Any]] = (),
        files: Sequence[tuple[str, str]] = (),
        devices: Sequence[dict[str, Any]] = (),
        namespaces: dict[str, str] | None = None,
        hostname: str = "",
    ) -> None:
        self.rootfs = rootfs
        self.user = user
        self.cgroup = cgroup
        self.mounts = list(mounts)
        self.files = list(files)
        self.devices = list(devices)
        self.namespaces = namespaces or {}
        self.hostname = hostname
        self.propagation = ""
        self.size = (0, 0)


def container_capabilities(host_config: dict[str, Any], host: Host) -> list[str]:
    """What the container's root may do."""
    return caps.granted(
        host_config.get("CapAdd") or (),
        host_config.get("CapDrop") or (),
        bool(host_config.get("Privileged")),
        host.held,
    )


def make_spec(config: dict[str, Any], host_config: dict[str, Any], placed: Placed, host: Host) -> dict[str, Any]:
    """Make config.json as a value, without its seccomp profile (see `render`).

    Args:
        config: docker's Config, already merged with the image's.
        host_config: docker's HostConfig.
    Raises:
        InvalidOption, Unsupported: from the limits and capabilities.
    """
    granted = container_capabilities(host_config, host)
    privileged = bool(host_config.get("Privileged"))
    linux: dict[str, Any] = {
        "namespaces": _namespaces(placed.namespaces, host_config, host),
        "cgroupsPath": placed.cgroup,
        "resources": resources(host_config, host, placed.devices),
        "devices": [{k: v for k, v in device.items() if k != "access"} for device in placed.devices],
        "sysctl": _sysctls(host_config, placed.namespaces),
        "maskedPaths": [] if privileged else list(_paths(host_config, "MaskedPaths", (*MASKED, *host.throttled))),
        "readonlyPaths": [] if privileged else list(_paths(host_config, "ReadonlyPaths", READ_ONLY)),
    }
    value: dict[str, Any] = {
        "ociVersion": "1.0.2",
        "process": process(config, host_config, placed.user, granted, host, placed.hostname),
        "root": {"path": placed.rootfs, "readonly": bool(host_config.get("ReadonlyRootfs"))},
        "mounts": _mounts(host_config, placed, privileged),
        "linux": linux,
    }
    if placed.propagation:
        linux["rootfsPropagation"] = placed.propagation
    if config.get("Tty") and placed.size[0]:
        value["process"]["consoleSize"] = {"height": placed.size[0], "width": placed.size[1]}
    if placed.hostname and "uts" not in placed.namespaces:
        value["hostname"] = placed.hostname
    if config.get("Domainname") and "uts" not in placed.namespaces:
        value["domainname"] = config["Domainname"]
    return value


def process(
    config: dict[str, Any],
    host_config: dict[str, Any],
    user: User,
    granted: Sequence[str],
    host: Host,
    hostname: str,
) -> dict[str, Any]:
    """The OCI object `process` of a container's own process."""
    tty = bool(config.get("Tty"))
    value: dict[str, Any] = {
        "terminal": tty,
        "user": user.to_oci(),
        "args": [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())],
        "env": environment(config.get("Env") or (), hostname, tty, user.home),
        "cwd": config.get("WorkingDir") or "/",
        "capabilities": caps.sets(granted, user.uid),
        "noNewPrivileges": no_new_privileges(host_config),
    }
    if limits := rlimits(host_config.get("Ulimits") or [], host):
        value["rlimits"] = limits
    if host_config.get("OomScoreAdj"):
        value["oomScoreAdj"] = host_config["OomScoreAdj"]
    return value


def environment(given: Iterable[str], hostname: str, tty: bool, home: str) -> list[str]:
    """The environment in docker's order: defaults first, what was given over them, HOME at the end when nobody set it.

    A later value of a name replaces an earlier one where that stands; an entry without "=" is left out.
    """
    names: dict[str, str] = {}
    defaults = [DEFAULT_PATH]
    if hostname:
        defaults.append(f"HOSTNAME={hostname}")
    if tty:
        defaults.append("TERM=xterm")
    for entry in (*defaults, *given):
        name, equals, _ = entry.partition("=")
        if equals:
            names[name] = entry
    names.setdefault("HOME", f"HOME={home}")
    return list(names.values())


def no_new_privileges(host_config: dict[str, Any]) -> bool:
    """Whether setuid programs give nothing. Source: --security-opt no-new-privileges[=true]."""
    for option in host_config.get("SecurityOpt") or ():
        name, _, value = option.replace("=", ":", 1).partition(":")
        if name == "no-new-privileges":
            return value in ("", "true")
    return False


def seccomp_option(host_config: dict[str, Any]) -> str:
    """What --security-opt says about seccomp: "" for the default profile, "unconfined", or a profile's JSON text."""
    if host_config.get("Privileged"):
        return "unconfined"
    for option in host_config.get("SecurityOpt") or ():
        if option.startswith(("seccomp=", "seccomp:")):
            text: str = option[len("seccomp=") :]
            return "" if text in ("builtin", "default") else text
    return ""


def render(spec: dict[str, Any], seccomp_text: str = "", filter_text: str = "") -> str:
    """The text of config.json, with the profile spliced in as the text that it is kept as.

    Args:
        seccomp_text: the OCI seccomp object in JSON, or nothing.
        filter_text: the same compiled, in base64, for a runtime that takes it (crun).
    """
    if filter_text:
        spec["annotations"] = {"run.oci.seccomp_bpf_data": filter_text}
    if seccomp_text:
        spec["linux"]["seccomp"] = _SECCOMP_MARK
    text = jsontext.dumps(spec)
    return text.replace(f'"seccomp":"{_SECCOMP_MARK}"', f'"seccomp":{seccomp_text}', 1) if seccomp_text else text


def _namespaces(joined: dict[str, str], host_config: dict[str, Any], host: Host) -> list[dict[str, str]]:
    kinds = ["mount", "network", "uts", "pid", "ipc"]
    if namespace_mode(host_config.get("CgroupnsMode") or "", host.layout) == "private":
        kinds.append("cgroup")
    value = []
    for kind in kinds:
        path = joined.get(kind)
        if path:
            value.append({"type": kind, "path": path})
        elif path is None:
            value.append({"type": kind})
    return value


def _sysctls(host_config: dict[str, Any], joined: dict[str, str]) -> dict[str, str]:
    value: dict[str, str] = {}
    if joined.get("network") != "":
        # A container's own network: its ports and pings are nobody else's business. Source: moby, since 20.03.
        value["net.ipv4.ip_unprivileged_port_start"] = "0"
        value["net.ipv4.ping_group_range"] = "0 2147483647"
    value.update(host_config.get("Sysctls") or {})
    return value


def _paths(host_config: dict[str, Any], key: str, default: Sequence[str]) -> Sequence[str]:
    given: Sequence[str] | None = host_config.get(key)
    return default if given is None else given


def _mounts(host_config: dict[str, Any], placed: Placed, privileged: bool) -> list[dict[str, Any]]:
    chosen = {mount["destination"]: mount for mount in _default_mounts(host_config, placed, privileged)}
    for destination, source in placed.files:
        chosen[destination] = {
            "destination": destination,
            "type": "bind",
            "source": source,
            "options": ["bind", "rprivate"],
        }
    for mount in placed.mounts:
        chosen[mount["destination"].rstrip("/") or "/"] = mount
    # Parents first; what the runtime needs itself (/proc, /dev, /sys) before what lies in it.
    return sorted(chosen.values(), key=lambda mount: mount["destination"].count("/"))


def _default_mounts(host_config: dict[str, Any], placed: Placed, privileged: bool) -> list[dict[str, Any]]:
    access = "rw" if privileged else "ro"
    shm = host_config.get("ShmSize") or DEFAULT_SHM
    quiet = ["nosuid", "noexec", "nodev"]
    value = [
        _mount("/proc", "proc", "proc", quiet),
        _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount(
            "/dev/pts",
            "devpts",
            "devpts",
            ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        _mount("/sys", "sysfs", "sysfs", [*quiet, access]),
        _mount("/sys/fs/cgroup", "cgroup", "cgroup", [*quiet, "relatime", access]),
    ]
    if "ipc" in placed.namespaces:
        value.append(_mount("/dev/mqueue", "bind", "/dev/mqueue", ["rbind", *quiet]))
        value.append(_mount(_SHM, "bind", _SHM, ["rbind", *quiet]))
    else:
        value.append(_mount("/dev/mqueue", "mqueue", "mqueue", quiet))
        if host_config.get("IpcMode") != "none":
            value.append(_mount(_SHM, "tmpfs", "shm", [*quiet, "mode=1777", f"size={shm}"]))
    return value


def _mount(destination: str, kind: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": source, "options": options}
