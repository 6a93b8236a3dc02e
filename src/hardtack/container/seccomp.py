"""The seccomp profile of a container: which system calls its capabilities and this architecture leave it.

`section` and `from_moby` are rules on plain values. `Cached` keeps their result as text in the run directory, so that
a start splices it in and never parses it; for runtimes that take a compiled filter it keeps that one too.
"""

from __future__ import annotations

import os

from hardtack import jsontext
from hardtack.container.errors import InvalidOption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

_DATA = os.path.join(os.path.dirname(__file__), "seccomp.json")
_ALLOW = "SCMP_ACT_ALLOW"
_ERRNO = "SCMP_ACT_ERRNO"
_EPERM = 1
_ENOSYS = 38
_ADMIN = "CAP_SYS_ADMIN"
_GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64", "i686": "x86", "armv7l": "arm"}


def section(capabilities: Collection[str], machine: str, data: dict[str, Any]) -> dict[str, Any]:
    """Make the OCI `linux.seccomp` object from our own data.

    Args:
        capabilities: what the container's root may hold.
        machine: as uname(2) has it.
        data: the content of seccomp.json.
    """
    architecture = data["architectures"].get(machine, {"names": [], "allow": []})
    names = [name for group in data["allow"].values() for name in group] + architecture["allow"]
    for capability, calls in data["allow_with_capability"].items():
        if capability in capabilities:
            names += [call for call in calls if call not in names]
    rules: list[dict[str, Any]] = [_allow(names)]
    rules += [_allow(["socket"], (0, family, "SCMP_CMP_EQ")) for family in data["socket_families"]]
    rules += [_allow(["personality"], (0, value, "SCMP_CMP_EQ")) for value in data["personalities"]]
    refused = list(data["fail_with_enosys"])
    if _ADMIN in capabilities:
        refused.remove("clone3")
    else:
        flags = (1 if machine.startswith("s390") else 0, data["namespace_flags"], "SCMP_CMP_MASKED_EQ")
        rules.append(_allow(["clone"], flags))
    # A library that is answered ENOSYS falls back to the older call, whose arguments can be judged.
    rules.append({"names": refused, "action": _ERRNO, "errnoRet": _ENOSYS})
    value: dict[str, Any] = {"defaultAction": _ERRNO, "defaultErrnoRet": _EPERM, "syscalls": rules}
    if architecture["names"]:
        value["architectures"] = architecture["names"]
    return value


def _allow(names: list[str], argument: tuple[int, int, str] | None = None) -> dict[str, Any]:
    rule: dict[str, Any] = {"names": names, "action": _ALLOW}
    if argument:
        index, value, operator = argument
        rule["args"] = [{"index": index, "value": value, "op": operator}]
        if operator == "SCMP_CMP_MASKED_EQ":
            rule["args"][0]["valueTwo"] = 0
    return rule


def from_moby(profile: dict[str, Any], capabilities: Collection[str], machine: str) -> dict[str, Any]:
    """Make the OCI object from a profile in docker's form, as --security-opt seccomp=FILE gives it.

    Raises:
        InvalidOption: no profile.
    """
    if type(profile) is not dict or type(profile.get("defaultAction")) is not str:
        raise InvalidOption("--security-opt", "seccomp", "the file is no seccomp profile: it has no defaultAction")
    value: dict[str, Any] = {
        key: profile[key] for key in ("defaultAction", "defaultErrnoRet", "flags", "architectures") if key in profile
    }
    machine = _GO_NAMES.get(machine, machine)
    for entry in profile.get("archMap") or ():
        if entry.get("architecture") == f"SCMP_ARCH_{_libseccomp_name(machine)}":
            value["architectures"] = [entry["architecture"], *(entry.get("subArchitectures") or ())]
    value["syscalls"] = [
        _oci_rule(rule) for rule in profile.get("syscalls") or () if _applies(rule, capabilities, machine)
    ]
    return value


def _libseccomp_name(machine: str) -> str:
    return {"amd64": "X86_64", "arm64": "AARCH64"}.get(machine, machine.upper())


def _applies(rule: dict[str, Any], capabilities: Collection[str], machine: str) -> bool:
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    if any(name not in capabilities for name in includes.get("caps") or ()):
        return False
    if any(name in capabilities for name in excludes.get("caps") or ()):
        return False
    if (arches := includes.get("arches")) and machine not in arches:
        return False
    return machine not in (excludes.get("arches") or ())


def _oci_rule(rule: dict[str, Any]) -> dict[str, Any]:
    names = rule.get("names") or ([rule["name"]] if "name" in rule else [])
    value: dict[str, Any] = {"names": names, "action": rule["action"]}
    for key in ("errnoRet", "args"):
        if rule.get(key) not in (None, []):
            value[key] = rule[key]
    return value


class Cached:
    """The profile for one set of capabilities, made once and kept as text.

    Args:
        run: the root's run directory.
    """

    __slots__ = ("_capabilities", "_machine", "_stem")

    def __init__(self, run: str, capabilities: Collection[str]) -> None:
        self._machine = os.uname().machine
        self._capabilities = capabilities
        # Only these capabilities make a difference; the age of the data keeps an upgrade from using old text.
        relevant = "".join("1" if name in capabilities else "0" for name in RELEVANT)
        self._stem = f"{run}/seccomp/{int(relevant, 2):x}-{os.stat(_DATA).st_mtime_ns:x}"

    def text(self) -> str:
        """The OCI object as JSON text."""
        return self._kept(".json", self._make_text)

    def filter_text(self) -> str:
        """The compiled filter in base64, or nothing where libseccomp cannot be had."""
        return self._kept(".bpf", self._make_filter)

    def _make_text(self) -> str:
        with open(_DATA, encoding="utf-8") as file:
            data = jsontext.loads(file.read())
        return jsontext.dumps(section(self._capabilities, self._machine, data))

    def _make_filter(self) -> str:
        from hardtack.container.seccomp_filter import compile_filter

        return compile_filter(jsontext.loads(self.text()))

    def _kept(self, suffix: str, make: Any) -> str:
        path = self._stem + suffix
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return self._keep(path, make())
        try:
            return os.read(descriptor, 1 << 20).decode("ascii")
        finally:
            os.close(descriptor)

    def _keep(self, path: str, text: str) -> str:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        draft = f"{path}.{os.getpid()}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, text.encode("ascii"))
        finally:
            os.close(descriptor)
        os.rename(draft, path)  # whole or not at all: 64 first starts may be here at once
        return text


RELEVANT = (  # noqa: SIM905  words to read
    "CAP_BPF CAP_DAC_READ_SEARCH CAP_PERFMON CAP_SYSLOG CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_CHROOT CAP_SYS_MODULE "
    "CAP_SYS_NICE CAP_SYS_PACCT CAP_SYS_PTRACE CAP_SYS_RAWIO CAP_SYS_TIME CAP_SYS_TTY_CONFIG"
).split()
"""The capabilities that seccomp.json names; a test holds the two together."""
