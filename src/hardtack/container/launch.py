"""Bring one container to life: reserve, mount, place, write config.json, call the OCI runtime. All or nothing.

Runs in the monitor. Each step's undo stands beside it; a death in between leaves only what the row's id leads to.
"""

from __future__ import annotations

import os
import time

from hardtack import jsontext
from hardtack.container import groups, placing, rootfs
from hardtack.container.enclosure import Enclosure
from hardtack.container.errors import StartFailed
from hardtack.container.host import Host
from hardtack.container.lookup import check_command
from hardtack.container.row import cgroup_of
from hardtack.container.runtime import choose
from hardtack.container.seccomp import Cached
from hardtack.container.spec import Placed, make_spec, render, seccomp_option
from hardtack.container.stdio import Stdio
from hardtack.container.users import find_user
from hardtack.linux.process import start_ticks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hardtack.container.row import Container, Paths
    from hardtack.container.runtime import Runtime
    from hardtack.container.users import User
    from hardtack.network.attachment import Attachment
    from hardtack.store.root import Root


class Undo:
    """Steps to take back, the last first."""

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        self._steps: list[Callable[[], object]] = []

    def add(self, step: Callable[[], object]) -> None:
        """Remember how to take back what was just done."""
        self._steps.append(step)

    def run(self) -> None:
        """Take everything back; a step that fails does not keep the others from it."""
        while self._steps:
            try:
                self._steps.pop()()
            except OSError:
                continue


class Running:
    """A container that has come to life.

    Attributes:
        pid: of its process, our child.
        runtime, enclosure: what started it and where; None in a monitor that adopted it.
        netns: descriptor of its network namespace, -1 when it is not ours.
        undo: takes down everything that outlives the process, slow steps included.
    """

    __slots__ = ("attachment", "enclosure", "netns", "pid", "runtime", "started", "stdio", "ticks", "undo")

    def __init__(
        self,
        runtime: Runtime | None,
        enclosure: Enclosure | None,
        attachment: Attachment,
        netns: int,
        stdio: Stdio,
        undo: Undo,
    ) -> None:
        self.runtime = runtime
        self.enclosure = enclosure
        self.attachment = attachment
        self.netns = netns
        self.stdio = stdio
        self.undo = undo
        self.pid = 0
        self.ticks = 0
        self.started = 0.0

    @property
    def runtime_name(self) -> str:
        """Which runtime the row is to remember."""
        return "" if self.runtime is None else self.runtime.name

    def leave_enclosure(self) -> None:
        """Go back to the host's mount namespace, if we are not there."""
        if self.enclosure is not None:
            self.enclosure.leave()


def launch(
    root: Root, container: Container, paths: Paths, attachment: Attachment, size: tuple[int, int], undo: Undo
) -> Running:
    """Start a container's process. What was done by then is in `undo` when this fails.

    Args:
        attachment: what was reserved of the network.
        size: rows and columns of the starter's terminal.
    Raises:
        StartFailed and others of the family: with what a person has to know.
    """
    config, host_config = container.config, container.host_config
    runtime = choose(root, host_config.get("Runtime") or "")
    rootfs.make_directories(paths)
    lowers = rootfs.hold(root, container.layers, container.id)
    undo.add(lambda: rootfs.release(root, container.id))
    netns = make_network(root, attachment, undo)
    enclosure = Enclosure(root.run, runtime)
    undo.add(enclosure.leave)
    rootfs.mount_overlay(root, lowers, paths.rootfs, paths.upper, paths.work)
    stdio = _make_stdio(paths, config)
    undo.add(stdio.close)
    running = Running(runtime, enclosure, attachment, netns, stdio, undo)
    spec = _make_spec(root, container, paths, running, size)
    write_spec(root, host_config, runtime, spec, f"{paths.run}/config.json")
    undo.add(lambda: forget_runtime_state(root, runtime, container.id))
    command = [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())][0]
    _call_runtime(root, running, runtime, enclosure, paths, command, container.name or container.id[:12])
    if stdio.tty:
        stdio.receive()
    return running


def make_network(root: Root, attachment: Attachment, undo: Undo) -> int:
    """Make and set up a network namespace for a bridge attachment. Returns its descriptor, -1 in other modes."""
    if attachment.mode != "bridge":
        return -1
    from hardtack.linux import netns
    from hardtack.network import attach

    descriptor = netns.create()
    undo.add(lambda: os.close(descriptor))
    attach.setup(root, attachment, descriptor)
    return descriptor


def _make_stdio(paths: Paths, config: dict[str, Any]) -> Stdio:
    if config.get("Tty"):
        directory = os.open(paths.run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return Stdio.terminal(directory)
        finally:
            os.close(directory)
    return Stdio.pipes(paths, bool(config.get("OpenStdin")))


def _make_spec(
    root: Root, container: Container, paths: Paths, running: Running, size: tuple[int, int]
) -> dict[str, Any]:
    config, host_config = container.config, container.host_config
    inside = os.open(paths.rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        user = find_user(inside, config.get("User") or "", host_config.get("GroupAdd") or ())
        mounts = _volumes(root, container, paths)
        rootfs.make_mtab(inside)
        if config.get("WorkingDir") not in ("", "/", None):
            make_working_directory(inside, config["WorkingDir"])
        placed = _place(root, container, paths, running, user, mounts)
        placed.size = size
        spec = make_spec(config, host_config, placed, Host.probe())
        process, covered = spec["process"], [entry["destination"] for entry in mounts]
        name = container.name or container.id[:12]
        check_command(inside, process["args"][0], process["env"], process["cwd"], f"start container {name}", covered)
    finally:
        os.close(inside)
    return spec


def _place(
    root: Root, container: Container, paths: Paths, running: Running, user: User, mounts: list[dict[str, Any]]
) -> Placed:
    config, host_config = container.config, container.host_config
    hostname = config.get("Hostname") or ""
    if not hostname and running.attachment.mode == "host":
        hostname = os.uname().nodename
    placed = Placed(
        paths.rootfs,
        user,
        cgroup_of(root, container.id),
        mounts,
        placing.network_files(root, container, paths, running.attachment),
        placing.devices(host_config),
        placing.namespaces(root, host_config, running.attachment, running.netns),
        hostname,
    )
    if any(option.endswith("slave") for entry in mounts for option in entry["options"]):
        placed.propagation = "rslave"  # what the host mounts later travels in, nothing travels out
    return placed


def _volumes(root: Root, container: Container, paths: Paths) -> list[dict[str, Any]]:
    """The OCI mounts of what was asked for by -v, --mount, --tmpfs and the image; nothing is imported without any."""
    host_config, declared = container.host_config, container.config.get("Volumes") or {}
    if not (declared or host_config.get("Binds") or host_config.get("Mounts") or host_config.get("Tmpfs")):
        return []
    from hardtack.volume.mounts import prepare, wanted

    mounts, shown = prepare(
        root, container.id, wanted(host_config), list(declared), paths.rootfs, f"{paths.run}/mounts"
    )
    container.document["Mounts"] = shown
    return list(mounts)


def make_working_directory(inside: int, path: str) -> None:
    """Make the working directory inside a root file system where it is missing. Raises StartFailed."""
    try:
        rootfs.make_directory_inside(inside, path)
    except OSError as error:
        why = (error.strerror or "").lower()
        raise StartFailed(f"cannot start container: the working directory {path} cannot be made: {why}", 126) from None


def write_spec(root: Root, host_config: dict[str, Any], runtime: Runtime, spec: dict[str, Any], path: str) -> None:
    """Write config.json with the seccomp profile that was asked for."""
    host = os.uname().machine
    granted = spec["process"]["capabilities"]["bounding"]
    option = seccomp_option(host_config)
    profile, compiled = "", ""
    if option == "":
        cached = Cached(root.run, granted)
        profile = cached.text()
        compiled = cached.filter_text() if runtime.takes_filter else ""
    elif option != "unconfined":
        from hardtack.container.seccomp import from_moby

        profile = jsontext.dumps(from_moby(jsontext.loads(option), granted, host))
    text = render(spec, profile, compiled)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, text.encode("utf-8", "surrogateescape"))
    finally:
        os.close(descriptor)


def _call_runtime(
    root: Root, running: Running, runtime: Runtime, enclosure: Enclosure, paths: Paths, command: str, name: str
) -> None:
    stdio = running.stdio
    _clear(paths.runtime_log)
    arguments = [
        *runtime.arguments(root.run, paths.runtime_log),
        "run",
        "--detach",
        "--bundle",
        paths.run,
        "--pid-file",
        f"{paths.run}/pid",
        *stdio.console_arguments(),
        paths.id,
    ]
    with groups.Kept(root):
        pid = enclosure.spawn(arguments, stdio.child, paths.run)
        stdio.close_child()
        _, status = os.waitpid(pid, 0)
    running.started = time.time()
    if status != 0:
        from hardtack.container.refusals import last_error, start_failure

        reason = last_error(paths.runtime_log)
        raise start_failure(reason or f"{runtime.name} ended with {os.waitstatus_to_exitcode(status)}", command, name)
    with open(f"{paths.run}/pid", encoding="ascii") as file:
        running.pid = int(file.read())
    running.ticks = start_ticks(running.pid) or 0


def _clear(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def forget_runtime_state(root: Root, runtime: Runtime, ident: str) -> None:
    """Take away what the runtime keeps of a container that has ended: its state and its control group.

    With the last container of a root the root's own group goes.

    Done by hand for crun and runc, whose state is one directory: starting them only for this costs more than the
    container. Where a process is left, or for another runtime, it is asked to do it.
    """
    from hardtack.container.tree import remove_tree
    from hardtack.linux import cgroup

    state = f"{root.run}/oci/state/{ident}"
    if not os.path.isdir(state):
        pass  # it did not get that far
    elif runtime.kind in ("crun", "runc") and cgroup.remove(cgroup_of(root, ident)):
        remove_tree(state)
    else:
        from hardtack.container.runtime import call

        call(root, runtime, ["delete", "--force", ident], f"clean up container {ident[:12]}")
    groups.tidy(root)
