"""One process in a throwaway container, without a row and without a monitor: what the builder runs its steps in.

The caller brings layers and an upper directory, and gets an exit code. A forked child watches the process, because a
mount namespace belongs to a process and the caller may have threads; it never touches the database. Killed at any
point, caller or child, it leaves no mount, and nothing that `reconcile.sweep` does not find by the name, which says
whose it was.
"""

from __future__ import annotations

import os
import select

from hardtack import jsontext
from hardtack.container import groups, placing, rootfs
from hardtack.container.create import merge
from hardtack.container.enclosure import Enclosure
from hardtack.container.errors import StartFailed
from hardtack.container.host import Host
from hardtack.container.launch import (
    Undo,
    forget_runtime_state,
    make_network,
    make_working_directory,
    write_spec,
)
from hardtack.container.lookup import check_command
from hardtack.container.refusals import last_error, start_failure
from hardtack.container.row import cgroup_of
from hardtack.container.runtime import choose
from hardtack.container.spec import Placed, make_spec
from hardtack.container.tree import remove_tree
from hardtack.container.users import find_user
from hardtack.errors import TackError
from hardtack.linux import cgroup, mount, signals
from hardtack.linux.process import (
    become_subreaper,
    close_descriptors,
    die_with_parent,
    is_alive,
    pidfd_open,
    start_ticks,
)
from hardtack.network import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from hardtack.container.runtime import Runtime
    from hardtack.network.attach import Attachment
    from hardtack.store.root import Root

HOSTNAME = "tack-build"
PREFIX = "once-"
_HOST_FILES = ("/etc/hosts", "/etc/resolv.conf")
_PIECE = 65_536


def run_once(
    root: Root,
    diff_ids: Sequence[str],
    upper: str,
    work: str,
    body: dict[str, Any],
    mounts: Sequence[dict[str, Any]] = (),
    stdin: int = -1,
    stdout: int = 1,
    stderr: int = 2,
    network_mode: str = "bridge",
    holder: str = "",
) -> int:
    """Run a process on top of layers, its changes going to `upper`, and wait for it.

    Args:
        diff_ids: the layers, bottom first.
        upper, work: directories of one file system; they may be kept and used again.
        body: docker's create request, Config at the top and HostConfig in it; Entrypoint and Cmd are what runs. The
            image's config has to be in it already.
        mounts: further OCI mounts.
        stdin, stdout, stderr: descriptors for the process; -1 for none.
        network_mode: bridge, host, none or container:NAME.
        holder: in whose name the layers stay mounted, until the caller releases it; "" for this run only.
    Returns:
        The exit code, 128+n for a signal. The upper directory is at rest then; some cleaning up goes on behind.
    Raises:
        StartFailed: it did not run; exit_code 127, 126 or 125 as docker's.
    """
    pid = os.getpid()
    ident = f"{PREFIX}{pid}-{start_ticks(pid)}-{os.urandom(6).hex()}"
    runtime = choose(root)
    lowers = rootfs.hold(root, list(diff_ids), holder or ident)
    attachment = None
    try:
        with root.transaction() as db:
            attachment = attach.reserve(db, root, ident, network_mode)
        once = _Once(root, ident, runtime, lowers, attachment, body, mounts)
        return _in_child(once, upper, work, (stdin, stdout, stderr))
    finally:
        if attachment is not None and attachment.mode == "bridge":
            attach.teardown(root, ident, namespace_ends=True)
        if not holder:
            rootfs.release(root, ident)


def is_running(ident: str) -> bool:
    """Whether a throwaway container belongs to a process that lives; its name says to which."""
    parts = ident.split("-")
    if not ident.startswith(PREFIX) or len(parts) != 4 or not (parts[1].isdigit() and parts[2].isdigit()):
        return False
    return is_alive(int(parts[1]), int(parts[2]))


def _in_child(once: _Once, upper: str, work: str, streams: tuple[int, int, int]) -> int:
    told, tell = os.pipe2(os.O_CLOEXEC)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            close_descriptors([0, 1, 2, tell, *(number for number in streams if number >= 0)])
            once.run(parent, tell, upper, work, streams)
        finally:
            os._exit(0)
    os.close(tell)
    try:
        cgroup.warm_up()
        answer = _listen(told, pid)
    except BaseException:
        os.kill(pid, signals.TERM)
        os.waitpid(pid, 0)
        raise
    finally:
        os.close(told)
    _collect(pid)
    if answer is None:
        raise StartFailed(f"cannot run {once.shown}: the process that watched it was killed")
    if "message" in answer:
        raise StartFailed(answer["message"], answer["exit_code"], answer["hint"])
    return int(answer["code"])


def _listen(told: int, pid: int) -> dict[str, Any] | None:
    """The child's answer, one line of JSON; None when it died without one."""
    pidfd = pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(told, select.POLLIN)
        poll.register(pidfd, select.POLLIN)
        said = b""
        while not said.endswith(b"\n"):
            ready = dict(poll.poll())
            piece = os.read(told, _PIECE) if told in ready else b""
            said += piece
            if not piece:  # another child may hold the pipe open too, but not this one's life
                return None
    finally:
        os.close(pidfd)
    answer: dict[str, Any] = jsontext.loads(said)
    return answer


_cleaning: list[int] = []


def _collect(pid: int) -> None:
    """Children that answered are still cleaning up: collect those that have ended."""
    _cleaning.append(pid)
    for child in list(_cleaning):
        try:
            ended = os.waitpid(child, os.WNOHANG)[0] != 0
        except ChildProcessError:
            ended = True
        if ended and child in _cleaning:
            _cleaning.remove(child)


def wait_clean() -> None:
    """Wait until everything that earlier runs of this process left is taken down."""
    while _cleaning:
        child = _cleaning.pop()
        try:
            os.waitpid(child, 0)
        except ChildProcessError:
            continue


class _Once:
    """One run; everything but `__init__` happens in the child."""

    __slots__ = ("_attachment", "_body", "_ident", "_lowers", "_mounts", "_place", "_root", "_runtime", "shown")

    def __init__(
        self,
        root: Root,
        ident: str,
        runtime: Runtime,
        lowers: list[str],
        attachment: Attachment,
        body: dict[str, Any],
        mounts: Sequence[dict[str, Any]],
    ) -> None:
        self._root = root
        self._ident = ident
        self._runtime = runtime
        self._lowers = lowers
        self._attachment = attachment
        self._body = body
        self._mounts = mounts
        self._place = f"{root.run}/containers/{ident}"
        self.shown = " ".join([*(body.get("Entrypoint") or ()), *(body.get("Cmd") or ())])[:200]

    def run(self, parent: int, tell: int, upper: str, work: str, streams: tuple[int, int, int]) -> None:
        """Everything. The answer goes to a pipe as soon as the upper directory is at rest, the rest comes after it."""
        undo = Undo()
        try:
            _watch_parent(parent)
            answer: dict[str, Any] = {"code": self._run(undo, upper, work, streams)}
        except TackError as error:
            code = error.exit_code if error.exit_code in (126, 127) else 125
            answer = {"message": error.message, "hint": error.hint, "exit_code": code}
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            answer = {"message": f"cannot run {self.shown}: {why}", "hint": "", "exit_code": 125}
        signals.ignore(signals.TERM)  # from here on only cleaning up, which has to be finished
        try:
            self._end_processes()
            _unmount(f"{self._place}/rootfs")
            os.write(tell, jsontext.dumps(answer).encode() + b"\n")
        finally:
            os.close(tell)
            undo.run()

    def _run(self, undo: Undo, upper: str, work: str, streams: tuple[int, int, int]) -> int:
        os.makedirs(f"{self._place}/rootfs", mode=0o711)
        undo.add(lambda: remove_tree(self._place))
        netns = make_network(self._root, self._attachment, undo)
        enclosure = Enclosure(self._root.run, self._runtime)
        undo.add(enclosure.leave)
        rootfs.mount_overlay(self._root, self._lowers, f"{self._place}/rootfs", upper, work)
        spec = self._spec(netns)
        host_config = self._body.get("HostConfig") or {}
        write_spec(self._root, host_config, self._runtime, spec, f"{self._place}/config.json")
        undo.add(lambda: forget_runtime_state(self._root, self._runtime, self._ident))
        return self._call(enclosure, streams, spec["process"]["args"][0])

    def _spec(self, netns: int) -> dict[str, Any]:
        config = merge(self._body, {})
        host_config = self._body.get("HostConfig") or {}
        hostname = config.get("Hostname") or HOSTNAME
        files = placing.files_for(config, host_config, hostname, self._place, self._attachment)
        inside = os.open(f"{self._place}/rootfs", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            user = find_user(inside, config.get("User") or "")
            if config.get("WorkingDir") not in ("", "/", None):
                make_working_directory(inside, config["WorkingDir"])
            placed = Placed(
                f"{self._place}/rootfs",
                user,
                cgroup_of(self._root, self._ident),
                self._mounts,
                [(path, source) for path, source in files if path in _HOST_FILES],
                placing.devices(host_config),
                placing.namespaces(self._root, host_config, self._attachment, netns),
                hostname if self._attachment.mode != "host" else "",
            )
            spec = make_spec(config, host_config, placed, Host.probe())
            process = spec["process"]
            mounts = [entry["destination"] for entry in spec["mounts"]]
            check_command(inside, process["args"][0], process["env"], process["cwd"], "run", mounts)
        finally:
            os.close(inside)
        return spec

    def _call(self, enclosure: Enclosure, streams: tuple[int, int, int], command: str) -> int:
        log = f"{self._place}/runtime.log"
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        given = [descriptor if descriptor >= 0 else null for descriptor in streams]
        arguments = [*self._runtime.arguments(self._root.run, log), "run", "--detach", "--bundle", self._place]
        arguments += ["--pid-file", f"{self._place}/pid", self._ident]
        with groups.Kept(self._root):
            pid = enclosure.spawn(arguments, given, self._place)
            _, status = os.waitpid(pid, 0)
        if status != 0:
            raise start_failure(last_error(log), command, command, "run")
        with open(f"{self._place}/pid", encoding="ascii") as file:
            code = _wait_for(int(file.read()))
        reason = last_error(log) if code in (1, 126, 127, 255) else ""
        if reason:
            raise start_failure(reason, command, command, "run")
        return code

    def _end_processes(self) -> None:
        """With its first process everything else of the run ends, whatever namespaces it had."""
        if cgroup.processes(cgroup_of(self._root, self._ident)):
            from hardtack.container.reconcile import end_processes

            end_processes(self._root, self._ident)


def _watch_parent(parent: int) -> None:
    """Have the kernel tell us when the caller dies: then the container must die too, and everything is cleaned up."""
    become_subreaper()
    for number in (signals.INT, signals.HUP):
        signals.ignore(number)  # the caller decides what Ctrl-C means

    def end(_number: int, _frame: object) -> None:
        raise StartFailed("cannot go on: the caller has ended")

    signals.handle(signals.TERM, end)
    die_with_parent(signals.TERM)
    if os.getppid() != parent:
        raise StartFailed("cannot begin: the caller has ended")


def _wait_for(pid: int) -> int:
    while True:
        found, status = os.waitpid(-1, 0)
        if found == pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _unmount(path: str) -> None:
    try:
        mount.umount(path, mount.MNT_DETACH)
    except OSError:
        return  # it was not mounted yet
