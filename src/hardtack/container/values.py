"""Values of single options of `run` and `create`, each read once into what docker's documents hold.

Pure. What a value means to the kernel is decided in `spec` and `resources`.
"""

from __future__ import annotations

from hardtack.container.errors import InvalidOption, Unsupported
from hardtack.container.jsonlog import log_limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

_UNLIMITED = ("unlimited", "infinity")
_DEVICE_MODES = frozenset("rwm")
_NAMESPACED_SYSCTLS = ("net.", "kernel.msg", "kernel.shm", "fs.mqueue.")
_LOG_DRIVERS = ("json-file", "none")
_LOG_OPTIONS = ("max-size", "max-file")


def environment(entries: Iterable[str], ours: Mapping[str, str]) -> list[str]:
    """Read values of -e: NAME=VALUE, or NAME for the value that we have ourselves; unknown ones are left out.

    Raises:
        InvalidOption: no name.
    """
    found = []
    for entry in entries:
        name, equals, _ = entry.partition("=")
        if not name.strip():
            raise InvalidOption("--env", entry, "invalid environment variable")
        if equals:
            found.append(entry)
        elif name in ours:
            found.append(f"{name}={ours[name]}")
    return found


def env_file(text: str, name: str) -> list[str]:
    """The entries of an --env-file: lines NAME=VALUE or NAME, comments and empty lines left out.

    Raises:
        InvalidOption: a name with white space.
    """
    found = []
    for raw in text.removeprefix("\ufeff").splitlines():
        line = raw.lstrip()
        if not line or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if not key or any(character.isspace() for character in key):
            raise InvalidOption("--env-file", name, f"variable '{key}' contains whitespaces")
        found.append(f"{key}={value}" if equals else key)
    return found


def labels(entries: Iterable[str], option: str = "--label") -> dict[str, str]:
    """Read values of -l: KEY or KEY=VALUE.

    Raises:
        InvalidOption: no key.
    """
    found = {}
    for entry in entries:
        key, _, value = entry.partition("=")
        if not key:
            raise InvalidOption(option, entry, "a label needs a name")
        found[key] = value
    return found


def ulimits(entries: Iterable[str]) -> list[dict[str, Any]]:
    """Read values of --ulimit: NAME=SOFT[:HARD], -1 or unlimited for none.

    Raises:
        InvalidOption: not of this form, or the soft limit is above the hard one.
    """
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        name, equals, rest = entry.partition("=")
        soft, colon, hard = rest.partition(":")
        if not equals or not name:
            raise InvalidOption("--ulimit", entry, "the form is NAME=SOFT[:HARD]")
        low = _limit(entry, soft)
        high = _limit(entry, hard) if colon else low
        if high >= 0 and (low > high or low < 0):
            raise InvalidOption("--ulimit", entry, "ulimit soft limit must be less than or equal to hard limit")
        found[name] = {"Name": name, "Soft": low, "Hard": high}
    return list(found.values())


def _limit(entry: str, text: str) -> int:
    if text in _UNLIMITED:
        return -1
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise InvalidOption("--ulimit", entry, f"{text or 'nothing'} is no number")
    return max(int(text), -1)


def device(text: str) -> dict[str, str]:
    """Read a value of --device: HOST[:INSIDE[:MODES]] or HOST:MODES, modes out of r, w and m.

    Raises:
        InvalidOption: not of this form.
    """
    parts = text.split(":")
    if len(parts) > 3 or not parts[0]:
        raise InvalidOption("--device", text, "the form is HOST[:CONTAINER[:rwm]]")
    host, inside, modes = parts[0], parts[0], "rwm"
    if len(parts) == 3:
        inside, modes = parts[1], parts[2]
    elif len(parts) == 2:
        if parts[1] and _DEVICE_MODES.issuperset(parts[1]):
            modes = parts[1]
        else:
            inside = parts[1]
    if not modes or not _DEVICE_MODES.issuperset(modes) or len(set(modes)) != len(modes):
        raise InvalidOption("--device", text, f"{modes} is no set of r, w and m")
    if not inside.startswith("/"):
        raise InvalidOption("--device", text, "the path in the container must be absolute")
    return {"PathOnHost": host, "PathInContainer": inside, "CgroupPermissions": modes}


def sysctls(entries: Iterable[str], network: str, ipc: str) -> dict[str, str]:
    """Read values of --sysctl: NAME=VALUE, only those that belong to a namespace of the container.

    Raises:
        InvalidOption: a setting of the entire host, or of a namespace that the container shares with it.
    """
    found = {}
    for entry in entries:
        name, equals, value = entry.partition("=")
        if not equals:
            raise InvalidOption("--sysctl", entry, "the form is NAME=VALUE")
        if name != "kernel.sem" and not name.startswith(_NAMESPACED_SYSCTLS):
            raise InvalidOption("--sysctl", entry, f"sysctl '{name}' is not namespaced: it would change the host")
        if name.startswith("net.") and network == "host":
            raise InvalidOption("--sysctl", entry, "it is not allowed with --network host")
        if not name.startswith("net.") and ipc == "host":
            raise InvalidOption("--sysctl", entry, "it is not allowed with --ipc host")
        found[name] = value
    return found


def restart_policy(text: str) -> dict[str, Any]:
    """Read a value of --restart: no, on-failure[:N], always, unless-stopped.

    Raises:
        InvalidOption: none of them.
    """
    name, colon, count = text.partition(":")
    if name not in ("", "no", "on-failure", "always", "unless-stopped"):
        raise InvalidOption(
            "--restart", text, "invalid restart policy", "Choose no, on-failure, always or unless-stopped"
        )
    retries = 0
    if colon:
        if name != "on-failure" or not count.isdigit() or len(count) > 9:
            raise InvalidOption("--restart", text, "only on-failure takes a number of retries")
        retries = int(count)
    return {"Name": name or "no", "MaximumRetryCount": retries}


def log_config(driver: str, options: Iterable[str]) -> dict[str, Any]:
    """Read --log-driver and values of --log-opt.

    Raises:
        Unsupported: a driver or an option that is not there.
        InvalidOption: a size or a number that is none.
    """
    driver = driver or "json-file"
    if driver not in _LOG_DRIVERS:
        raise Unsupported(f"--log-driver {driver}", "the log drivers here are json-file and none")
    found = {}
    for entry in options:
        name, _, value = entry.partition("=")
        if driver == "none" or name not in _LOG_OPTIONS:
            raise Unsupported(f"--log-opt {entry}", f"unknown log opt '{name}' for the {driver} log driver")
        found[name] = value
    log_limits(found)
    return {"Type": driver, "Config": found}


def security_options(entries: Iterable[str]) -> list[str]:
    """Check values of --security-opt; a seccomp file's name is replaced by its content elsewhere.

    Raises:
        InvalidOption: unknown.
        Unsupported: known to docker, and not here.
    """
    found = []
    for entry in entries:
        name, separator, value = entry.replace("=", ":", 1).partition(":")
        if name == "no-new-privileges":
            if value not in ("", "true", "false"):
                raise InvalidOption("--security-opt", entry, "it is true or false")
        elif name == "seccomp":
            if not separator or not value:
                raise InvalidOption("--security-opt", entry, "it needs a file, or unconfined")
        elif name in ("apparmor", "label"):
            if value not in ("unconfined", "disable"):
                raise Unsupported(f"--security-opt {entry}", "no profiles of AppArmor or SELinux are applied here")
        elif name in ("systempaths", "writable-cgroups"):
            if entry != "systempaths=unconfined":
                raise Unsupported(f"--security-opt {entry}", "it is not there")
        else:
            raise InvalidOption("--security-opt", entry, f"invalid --security-opt: {name}")
        found.append(entry)
    return found
