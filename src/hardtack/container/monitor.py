"""The process that watches one running container: it starts it, owns its streams, writes its log, takes its exit code.

Forked by the starter, so that it costs no new interpreter. It reports the start and the end over a socket, serves
attach, applies the restart policy, and cleans up after the end was reported. Killed at any point it leaves what
`reconcile` finds by the row.
"""

from __future__ import annotations

import gc
import os
import time

from hardtack import jsontext
from hardtack.container import frames, ledger, runtime, states
from hardtack.container.hub import Client, Hub
from hardtack.container.jsonlog import LogFile, log_limits
from hardtack.container.launch import Undo, launch
from hardtack.container.row import Container, Paths, cgroup_of, claim, get
from hardtack.container.stdio import listen, read_some
from hardtack.errors import TackError
from hardtack.linux import cgroup, signals
from hardtack.linux.process import become_subreaper, forget_text, set_process_name
from hardtack.network.attachment import Attachment, parse_mode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from typing import Any

    from hardtack.container.launch import Running
    from hardtack.store.root import Root

_IGNORED = (1, 2, 3, 13, 15)  # HUP INT QUIT PIPE TERM: the container decides when it ends, or SIGKILL does
_SETTLE = 0.2
"""Seconds after which a container counts as one that stays: then the monitor makes itself small."""
_KILLED = 137


def stand_by(root: Root, starter: socket) -> None:
    """Get ready, wait for the order to start a container, then be its monitor; in a forked child, ends the process.

    Args:
        starter: the connection to the starter. It brings one HELLO with the id of the container and the streams that
            the starter wants; then it is told STARTED or FAILED, and served as a client.
    """
    code = 1
    try:
        become_monitor()
        try:
            runtime.choose(root)
        except TackError:
            pass  # told when a container is to be started, which is then refused
        order = _receive_order(starter)
        if order is not None:
            set_process_name(f"tack:{order['id'][:10]}")
            starter.setblocking(False)
            client = Client(starter, frozenset(order["wants"]), greeted=True)
            Monitor(root, order["id"], client, tuple(order["size"])).live()
            code = 0
    except Exception:  # noqa: BLE001  nobody else would ever hear of it; the next command reconciles the container
        _note_crash(root)
    finally:
        os._exit(code)


def _note_crash(root: Root) -> None:
    """Keep the trace of a fault of ours, for `--debug` has nothing to show in a process of its own."""
    import traceback

    with open(f"{root.run}/monitor-faults.log", "a", encoding="utf-8") as file:
        file.write(f"{time.time():.3f} process {os.getpid()}\n{traceback.format_exc()}\n")


def _receive_order(starter: socket) -> dict[str, Any] | None:
    reader = frames.Reader()
    while data := starter.recv(65_536):
        for _, payload in reader.feed(data):
            order: dict[str, Any] = jsontext.loads(payload)
            return order
    return None


def become_monitor() -> None:
    """Make a forked child a process of its own: session, name, streams; deaf to what ends terminals."""
    os.setsid()
    os.umask(0o022)
    for number in _IGNORED:
        signals.ignore(number)
    become_subreaper()
    if os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))  # no group takes a process in real time, v1
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.close(null)
    os.chdir("/")
    gc.disable()


class Monitor:
    """One monitor.

    Args:
        starter: the connection to the process that started it; None when there is none.
        size: rows and columns of the starter's terminal.
    """

    __slots__ = ("_cancelled", "_clients", "_ident", "_paths", "_root", "_size", "_wake", "_wake_end")

    def __init__(self, root: Root, ident: str, starter: Client | None, size: tuple[int, int] = (0, 0)) -> None:
        self._root = root
        self._size = size
        self._ident = ident
        self._paths = Paths(root, ident)
        self._clients = [] if starter is None else [starter]
        self._cancelled = False
        self._wake, self._wake_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signals.handle(signals.CHLD, _note)
        signals.wake_by(self._wake_end)

    def live(self) -> None:
        """Start, watch, record, and again if the policy wants it; then clean up."""
        delay = 0.0
        first = True
        while True:
            container = self._take_container()
            try:
                running, hub = self._start(container)
            except TackError as error:
                self._fail(container, error, first)
                return
            except Exception as error:  # noqa: BLE001  whatever it is, the starter has to hear of it
                self._fail(container, _internal(error), first)
                return
            policy = container.host_config.get("RestartPolicy")
            automatic = container.autoremove
            restarts = container.restarts
            del container
            if not first and ledger.is_stopped(self._root, self._ident):
                os.kill(running.pid, signals.KILL)  # somebody stopped it while it was being started again
            code = self._watch(running, hub)
            ran = time.time() - running.started
            if not self._repeats(policy, code, restarts):
                self.end(running, hub, code, automatic)
                return
            from hardtack.container.restart import next_delay

            delay = next_delay(delay, ran)
            self._free_ports(running)
            ledger.retrying(self._root, self._ident, code, running.attachment.mode == "bridge")
            self._carry_over(running, hub)
            if not self._pause(delay):
                self._end_while_waiting(code, automatic)
                return
            first = False

    def _take_container(self) -> Container:
        container = get(self._root.db, self._ident)
        if container is None:
            os._exit(1)  # removed by force meanwhile
        return container

    def _start(self, container: Container) -> tuple[Running, Hub]:
        undo = Undo()
        try:
            attachment = self._reserve(container, undo)
            running = launch(self._root, container, self._paths, attachment, self._size, undo)
            hub = Hub(running.stdio, self.open_log(container), bool(container.config.get("StdinOnce")), self._wake)
            undo.add(hub.close)
            self.listen(hub)
        except BaseException:
            undo.run()
            raise
        ledger.started(self._root, container, running)
        hub.clients = self._clients
        self._clients = []
        for line in running.attachment.warnings:
            hub.announce(frames.NOTE, line.encode())
        hub.announce(frames.STARTED, str(running.pid).encode())
        return running, hub

    def _reserve(self, container: Container, undo: Undo) -> Attachment:
        """Become the container's holder, and in the same step have an address and ports if it needs any."""
        host_config = container.host_config
        mode, target = parse_mode(host_config.get("NetworkMode") or "")
        if mode != "bridge":
            with self._root.transaction() as db:
                claim(db, container.id)
            return Attachment(container.id, mode, target)
        from hardtack.network import attach
        from hardtack.network.ports import from_bindings

        publishes = from_bindings(
            host_config.get("PortBindings"),
            container.config.get("ExposedPorts") or (),
            bool(host_config.get("PublishAllPorts")),
        )
        with self._root.transaction() as db:
            claim(db, container.id)
            aliases = host_config.get("NetworkAliases") or ()
            attachment = attach.reserve(db, self._root, container.id, mode, publishes, aliases)
        undo.add(attachment.close)
        undo.add(lambda: attach.teardown(self._root, container.id, namespace_ends=True))
        return attachment

    def open_log(self, container: Container) -> LogFile | None:
        """The container's log, or None where it has none."""
        settings = container.host_config.get("LogConfig") or {}
        if settings.get("Type") == "none":
            return None
        limit, count = log_limits(settings.get("Config") or {})
        return LogFile(self._paths.log, limit, count)

    def listen(self, hub: Hub) -> None:
        """Let clients come to a hub."""
        directory = os.open(self._paths.run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            hub.listener = listen(directory, "attach.sock")
        finally:
            os.close(directory)
        hub.listener.setblocking(False)
        hub.on_cancel = self._cancel

    def _cancel(self) -> None:
        self._cancelled = True

    def _watch(self, running: Running, hub: Hub) -> int:
        """Serve until the container's process has ended. Returns its exit code."""
        timeout: float | None = _SETTLE
        while True:
            code = _reap(running.pid)
            if code is not None:
                return code
            if hub.step(timeout):
                read_some(self._wake)
            elif timeout is not None and time.time() - running.started >= _SETTLE:
                self._settle(running)
                timeout = None

    def _settle(self, running: Running) -> None:
        """The container stays: leave its mount namespace, close the database, give memory back."""
        running.leave_enclosure()
        self._root.close()
        _shrink()

    def _repeats(self, policy: dict[str, Any] | None, code: int, restarts: int) -> bool:
        """Whether the policy wants another run."""
        if (policy or {}).get("Name") in (None, "", "no") or self._cancelled:
            return False
        from hardtack.container.restart import again

        return again(policy, code, ledger.is_stopped(self._root, self._ident), restarts)

    def end(self, running: Running, hub: Hub, code: int, automatic: bool, error: str = "") -> None:
        """The container has ended for good: record, report, then everything that takes time."""
        hub.drain()
        oom = code == _KILLED and cgroup.oom_kills(cgroup_of(self._root, self._ident)) > 0
        self._free_ports(running)
        bridged = running.attachment.mode == "bridge"
        ledger.ended(self._root, self._ident, code, automatic, bridged, oom, error)
        hub.announce(frames.EXITED, str(code).encode())
        if hub.listener is not None:
            hub.listener.close()
            hub.listener = None
        running.leave_enclosure()
        self._clean(running, automatic)
        hub.wake = -1
        while hub.pending():
            hub.step()
        hub.close()

    def _free_ports(self, running: Running) -> None:
        if running.attachment.ports:
            from hardtack.network import attach

            attach.withdraw(self._root.db, self._root, self._ident)
        running.attachment.close()

    def _clean(self, running: Running, automatic: bool) -> None:
        """What nobody waits for: mounts, control groups, files; with --rm the container itself."""
        running.undo.run()
        self._let_go(automatic)

    def _let_go(self, automatic: bool) -> None:
        from hardtack.container.remove import clean_run, erase

        clean_run(self._paths)
        if automatic:
            erase(self._root, self._ident)
        else:
            ledger.released(self._root, self._ident)

    def _carry_over(self, running: Running, hub: Hub) -> None:
        """Between two runs clients stay, and everything else goes."""
        hub.drain()
        self._clients, hub.clients = hub.clients, []
        running.leave_enclosure()
        running.undo.run()

    def _pause(self, delay: float) -> bool:
        """Wait before the next run, answering clients. Returns whether to start again."""
        from hardtack.container.stdio import Stdio

        hub = Hub(Stdio(False), None, False, self._wake)
        self.listen(hub)
        hub.clients, self._clients = self._clients, []
        until = time.monotonic() + delay
        while not self._cancelled and (left := until - time.monotonic()) > 0:
            hub.step(left)
        self._clients, hub.clients = hub.clients, []
        hub.close()
        return not self._cancelled

    def _end_while_waiting(self, code: int, automatic: bool) -> None:
        ledger.ended(self._root, self._ident, code, automatic, bridged=False)
        for client in self._clients:
            client.send(frames.EXITED, str(code).encode())
        self._let_go(automatic)

    def _fail(self, container: Container, error: TackError, first: bool) -> None:
        """It did not start: record why, tell the starter, take away what --rm wants away."""
        from hardtack.container.remove import clean_run, erase

        code = error.exit_code if error.exit_code in (125, 126, 127) else 125
        state = states.after(container.state, "fail") if first else states.EXITED
        clean_run(self._paths)
        ledger.failed(self._root, container.id, state, code, str(error), container.autoremove)
        failure = {"message": error.message, "hint": error.hint, "exit_code": code}
        for client in self._clients:
            client.send(frames.FAILED, jsontext.dumps(failure).encode())
        if container.autoremove:
            erase(self._root, container.id)


def _internal(error: Exception) -> TackError:
    if isinstance(error, OSError) and error.strerror:
        about = f"{error.filename}: " if error.filename else ""
        return TackError(f"cannot start container: {about}{error.strerror.lower()}")
    import traceback

    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
    return TackError(f"cannot start container: internal error: {type(error).__name__}: {error} ({where})")


def _note(_number: int, _frame: object) -> None:
    """SIGCHLD: the wakeup descriptor has told already."""


def _reap(pid: int) -> int | None:
    """Collect every child that has ended. Returns the exit code of `pid`, when it is among them."""
    code = None
    while True:
        try:
            found, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if found == 0:
            return code
        if found == pid:
            value = os.waitstatus_to_exitcode(status)
            code = value if value >= 0 else 128 - value


def _shrink() -> None:
    """Collect what is garbage, keep the rest out of later collections, and give free memory back to the system."""
    gc.collect()
    gc.freeze()
    from hardtack.linux.libc import call

    try:
        call("malloc_trim", 0)
    except (OSError, AttributeError):  # musl has none
        pass
    forget_text()
