"""The OCI runtime: which one, why that one, and how it is called.

crun where it works, runc otherwise, any other by name or path. The choice is probed once per boot with a container
that has nothing to run, and kept in the run directory: a start reads one small file. How a runtime's words become
docker's exit codes is in `refusals`.
"""

from __future__ import annotations

import os

from hardtack import jsontext
from hardtack.container.errors import NoRuntime, RuntimeRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from hardtack.store.root import Root

PREFERRED = ("crun", "runc")


class Runtime:
    """One OCI runtime that works on this host.

    Attributes:
        name: as it was chosen: "crun", "runc", or what --runtime said.
        path: its program.
        kind: the family that its messages and files follow: "crun", "runc" or "other".
        hides_unified: it must not see a v2 control group tree beside v1.
        seals: it accepts a read-only program instead of copying itself.
        takes_filter: it accepts a compiled seccomp filter.
        why: the reason of the choice, for people.
    """

    __slots__ = ("hides_unified", "kind", "name", "path", "seals", "takes_filter", "version", "why")

    def __init__(
        self,
        name: str,
        path: str,
        kind: str,
        version: str = "",
        hides_unified: bool = False,
        seals: bool = False,
        takes_filter: bool = False,
        why: str = "",
    ) -> None:
        self.name = name
        self.path = path
        self.kind = kind
        self.version = version
        self.hides_unified = hides_unified
        self.seals = seals
        self.takes_filter = takes_filter
        self.why = why

    def arguments(self, run: str, log: str) -> list[str]:
        """The options that come before its command."""
        words = [self.name.rpartition("/")[2], "--root", f"{run}/oci/state", "--log", log]
        # What crun says when the program itself cannot be executed lands on the container's own stderr, in this form.
        return words if self.kind == "crun" else [*words, "--log-format", "json"]


def choose(root: Root, wanted: str = "") -> Runtime:
    """The runtime to start a container with.

    Args:
        wanted: a name or path; else HARDTACK_RUNTIME, else the first of crun and runc that works.
    Raises:
        NoRuntime: none works, with the reason of each.
    """
    wanted = wanted or os.environ.get("HARDTACK_RUNTIME", "")
    kept = f"{root.run}/oci/chosen{'-' + _flat(wanted) if wanted else ''}"
    found = _recall(kept)
    if found is None:
        # In a child of its own: what a probe imports would stay in the memory of every monitor.
        if _in_child(lambda: _probe(root, wanted, kept)):
            found = _recall(kept)
        if found is None:
            found = _probe(root, wanted, kept)
    return found


def _probe(root: Root, wanted: str, kept: str) -> Runtime:
    from hardtack.container.probe import probe

    found = probe(root, wanted)
    _remember(kept, found)
    return found


def _in_child(act: Callable[[], object]) -> bool:
    """Do something in a forked child. Returns whether it succeeded."""
    pid = os.fork()
    if pid == 0:
        try:
            act()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def _flat(name: str) -> str:
    return name.replace("%", "%25").replace("/", "%2F")


def stamp(path: str) -> str:
    """What changes when the program at `path` does."""
    status = os.stat(path)
    return f"{status.st_mtime_ns}:{status.st_size}:{status.st_ino}"


def _recall(kept: str) -> Runtime | None:
    try:
        descriptor = os.open(kept, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        value = jsontext.loads(os.read(descriptor, 65536))
    except ValueError:
        return None
    finally:
        os.close(descriptor)
    try:
        if value.pop("stamp") != stamp(value["path"]):
            return None
    except FileNotFoundError:
        return None
    return Runtime(**value)


def _remember(kept: str, runtime: Runtime) -> None:
    value = {key: getattr(runtime, key) for key in Runtime.__slots__} | {"stamp": stamp(runtime.path)}
    draft = f"{kept}.{os.getpid()}-{os.urandom(4).hex()}"  # threads may choose at once
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, jsontext.dumps(value).encode())
    finally:
        os.close(descriptor)
    os.rename(draft, kept)


def call(root: Root, runtime: Runtime, command: Sequence[str], doing: str) -> None:
    """Run a short command of the runtime, such as `pause ID`, and wait for it.

    Args:
        doing: for the message, such as "pause container x".
    Raises:
        RuntimeRefused: with the runtime's own reason.
    """
    log = f"{root.run}/oci/log-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        code = _call(root, runtime, command, log)
        if code:
            from hardtack.container.refusals import last_error

            raise RuntimeRefused(doing, last_error(log) or f"{runtime.name} ended with exit code {code}")
    finally:
        try:
            os.unlink(log)
        except FileNotFoundError:
            pass


def _call(root: Root, runtime: Runtime, command: Sequence[str], log: str) -> int:
    pid = os.fork()
    if pid == 0:
        _become(root, runtime, [*runtime.arguments(root.run, log), *command], log)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _become(root: Root, runtime: Runtime, arguments: list[str], log: str) -> Any:
    """In a forked child: enclose, drop our streams, exec. Never returns; what prevents it is written to the log."""
    try:
        from hardtack.container.enclosure import Enclosure

        enclosure = Enclosure(root.run, runtime)
        null = os.open("/dev/null", os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        os.chdir("/")
        os.execve(enclosure.program, arguments, enclosure.environment)
    except Exception as error:  # noqa: BLE001 - the parent reads it where the runtime would have written
        with open(log, "w", encoding="utf-8") as file:
            file.write(f"it cannot be started in a mount namespace of its own: {error}\n")
    finally:
        os._exit(125)


def unavailable(reasons: Sequence[str]) -> NoRuntime:
    """The error when nothing works."""
    return NoRuntime("; ".join(reasons) or "neither crun nor runc is installed")
