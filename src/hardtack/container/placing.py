"""What a start has to look up before the rules can speak: files bound over the image's, devices, joined namespaces.

Each function reads the host or writes into the container's run directory, and returns plain values for `spec.Placed`.
"""

from __future__ import annotations

import os
import stat

from hardtack import jsontext
from hardtack.container.errors import InvalidOption, NotRunning
from hardtack.container.row import Paths, find
from hardtack.network import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from hardtack.container.row import Container
    from hardtack.network.attachment import Attachment
    from hardtack.store.root import Root

_NOT_DEVICES = ("pts", "shm", "mqueue", "fd", "stdin", "stdout", "stderr", "console", "ptmx", ".udev", ".lxc", "core")


def network_files(root: Root, container: Container, paths: Paths, attachment: Attachment) -> list[tuple[str, str]]:
    """Write hosts, hostname and resolv.conf, and say where they go.

    Returns:
        Pairs of the path inside and the path of the file; those of another container when its network is shared.
    """
    if attachment.mode == "container":
        run = Paths(root, find(root, attachment.target).id).run
        return [(f"/etc/{name}", f"{run}/{name}") for name in ("hosts", "hostname", "resolv.conf")]
    config = container.config
    hostname = config.get("Hostname") or os.uname().nodename
    return files_for(config, container.host_config, hostname, paths.run, attachment)


def files_for(
    config: dict[str, Any], host_config: dict[str, Any], hostname: str, directory: str, attachment: Attachment
) -> list[tuple[str, str]]:
    """The same for what is no container with a row; the files go into `directory`."""
    own = attachment.mode != "host"
    extra = [_extra_host(text) for text in host_config.get("ExtraHosts") or ()]
    if own:
        domain = config.get("Domainname")
        full = [f"{hostname}.{domain}"] if domain else []
        names = " ".join(dict.fromkeys([*full, hostname, *attachment.aliases]))
        hosts = files.hosts([(attachment.address, names)], extra, attachment.gateway)
    else:
        hosts = files.hosts_of_host(_read("/etc/hosts"), extra)
    texts = {"hosts": hosts, "hostname": hostname + "\n", "resolv.conf": _resolv_conf(host_config, own)}
    for name, text in texts.items():
        _write(f"{directory}/{name}", text)
    return [(f"/etc/{name}", f"{directory}/{name}") for name in texts]


def _resolv_conf(host_config: dict[str, Any], own: bool) -> str:
    text = _read("/etc/resolv.conf")
    if own and files.asks_only_stub(text):
        text = _read(files.RESOLVED_FILE) or text
    return files.resolv_conf(
        text,
        host_config.get("Dns") or (),
        host_config.get("DnsSearch") or (),
        host_config.get("DnsOptions") or (),
        own,
    )


def _extra_host(text: str) -> tuple[str, str]:
    name, _, address = text.partition(":")
    return name, address


def devices(host_config: dict[str, Any]) -> list[dict[str, Any]]:
    """The further devices of a container in the OCI form, with "access".

    Raises:
        InvalidOption: a path that is no device, and no directory of devices.
    """
    found: list[dict[str, Any]] = []
    if host_config.get("Privileged"):
        found += _below("/dev", "/dev", "rwm")
    for entry in host_config.get("Devices") or ():
        host, inside = entry["PathOnHost"], entry["PathInContainer"]
        access = entry.get("CgroupPermissions") or "rwm"
        if os.path.isdir(host):
            below = _below(host, inside, access)
            if not below:
                raise InvalidOption("--device", host, "no devices found in this directory")
            found += below
        else:
            device = _device(host, inside, access)
            if device is None:
                raise InvalidOption("--device", host, "it is no device of this host")
            found.append(device)
    return found


def _below(directory: str, inside: str, access: str) -> list[dict[str, Any]]:
    found = []
    for name in sorted(os.listdir(directory)):
        if name in _NOT_DEVICES:
            continue
        path = f"{directory}/{name}"
        if os.path.isdir(path) and not os.path.islink(path):
            found += _below(path, f"{inside}/{name}", access)
        elif not os.path.islink(path) and (device := _device(path, f"{inside}/{name}", access)):
            found.append(device)
    return found


def _device(path: str, inside: str, access: str) -> dict[str, Any] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    if stat.S_ISCHR(status.st_mode):
        kind = "c"
    elif stat.S_ISBLK(status.st_mode):
        kind = "b"
    else:
        return None
    return {
        "path": inside,
        "type": kind,
        "major": os.major(status.st_rdev),
        "minor": os.minor(status.st_rdev),
        "fileMode": stat.S_IMODE(status.st_mode),
        "uid": status.st_uid,
        "gid": status.st_gid,
        "access": access,
    }


def namespaces(root: Root, host_config: dict[str, Any], attachment: Attachment, netns: int) -> dict[str, str]:
    """The namespaces that are joined: a path, or "" for the host's; see `spec.Placed`.

    Raises:
        NotRunning: the container whose namespace was to be shared is not running.
    """
    joined: dict[str, str] = {}
    if attachment.mode == "host":
        joined["network"] = ""
    elif attachment.mode == "container":
        joined["network"] = namespace_of(root, attachment.target, "net", "share its network")
        if not host_config.get("UTSMode"):
            joined["uts"] = namespace_of(root, attachment.target, "uts", "share its network")
    elif netns >= 0:
        joined["network"] = f"/proc/{os.getpid()}/fd/{netns}"
    pid_mode = host_config.get("PidMode") or ""
    if pid_mode == "host":
        joined["pid"] = ""
    elif pid_mode.startswith("container:"):
        joined["pid"] = namespace_of(root, pid_mode.partition(":")[2], "pid", "share its processes")
    if host_config.get("IpcMode") == "host":
        joined["ipc"] = ""
    if host_config.get("UTSMode") == "host":
        joined["uts"] = ""
    return joined


def namespace_of(root: Root, name: str, kind: str, doing: str) -> str:
    """The path of a namespace of a running container."""
    other = find(root, name)
    if not other.process_alive():
        raise NotRunning(other.id, doing)
    return f"/proc/{other.pid}/ns/{kind}"


def seccomp_files(options: Sequence[str]) -> dict[str, str]:
    """The content of the files that --security-opt seccomp=FILE names, by the option.

    Raises:
        InvalidOption: a file that cannot be read, or is no JSON.
    """
    found = {}
    for option in options:
        name, _, value = option.replace("=", ":", 1).partition(":")
        if name == "seccomp" and value not in ("unconfined", "builtin", "default", ""):
            try:
                with open(value, encoding="utf-8") as file:
                    text = file.read(1 << 20)
                jsontext.loads(text)
            except OSError as error:
                why = (error.strerror or str(error)).lower()
                raise InvalidOption(
                    "--security-opt", option, f"opening seccomp profile ({value}) failed: {why}"
                ) from None
            except ValueError as error:
                raise InvalidOption("--security-opt", option, f"Decoding seccomp profile failed: {error}") from None
            found[option] = f"seccomp={text}"
    return found


def _read(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(descriptor, 1 << 20).decode("utf-8", "replace")
    finally:
        os.close(descriptor)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
