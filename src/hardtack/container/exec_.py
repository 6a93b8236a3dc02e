"""Another process in a running container: docker's exec, through the OCI runtime.

Without a terminal the process gets the caller's own streams; with one it gets a pseudoterminal that is relayed here.
The exit code is that of the process, or docker's 126 and 127 when it could not be run.
"""

from __future__ import annotations

import os

from hardtack import jsontext
from hardtack.container import states
from hardtack.container.current import current, runtime_of
from hardtack.container.enclosure import Enclosure
from hardtack.container.errors import ContainerError, NotRunning, StartFailed
from hardtack.container.host import Host
from hardtack.container.lookup import check_command
from hardtack.container.row import Paths
from hardtack.container.spec import container_capabilities, process
from hardtack.container.users import UserUnknown, find_user
from hardtack.linux import signals
from hardtack.linux.openat2 import open_in_root
from hardtack.linux.process import start_ticks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from hardtack.container.row import Container
    from hardtack.container.users import User
    from hardtack.store.root import Root


class Request:
    """What is to be run.

    Attributes:
        command: program and arguments.
        environment: NAME=VALUE over the container's own.
        user: "" for the container's.
        directory: "" for the container's.
    """

    __slots__ = ("command", "detach", "directory", "environment", "interactive", "privileged", "terminal", "user")

    def __init__(
        self,
        command: Sequence[str],
        environment: Sequence[str] = (),
        user: str = "",
        directory: str = "",
        terminal: bool = False,
        interactive: bool = False,
        detach: bool = False,
        privileged: bool = False,
    ) -> None:
        self.command = list(command)
        self.environment = list(environment)
        self.user = user
        self.directory = directory
        self.terminal = terminal
        self.interactive = interactive
        self.detach = detach
        self.privileged = privileged


def exec_(root: Root, text: str, request: Request, keys: bytes = b"") -> int:
    """Run a process in a container and wait for it, unless it is detached.

    The calling process enters and leaves a mount namespace of its own: call it in a process with one thread.

    Args:
        keys: the detach keys, with a terminal.
    Returns:
        The exit code; 0 when detached, `client.DETACHED` when the keys were typed.
    Raises:
        NotRunning, ContainerError: the container's state does not allow it.
        StartFailed: it did not run.
    """
    container = current(root, text)
    if container.state == states.PAUSED:
        raise ContainerError(f"Container {container.id} is paused, unpause the container before exec")
    if container.state != states.RUNNING:
        raise NotRunning(container.id)
    return _Exec(root, container, request).run(keys)


class _Exec:
    __slots__ = ("_container", "_name", "_request", "_root", "_stem")

    def __init__(self, root: Root, container: Container, request: Request) -> None:
        self._root = root
        self._container = container
        self._request = request
        self._name = container.name or container.id[:12]
        # Under the container's run directory: whatever is left there goes with the container.
        self._stem = f"{Paths(root, container.id).run}/exec-{os.getpid()}-{os.urandom(4).hex()}"

    def run(self, keys: bytes) -> int:
        self._write(self._process())
        try:
            if self._request.detach:
                return self._start(self._null_streams(), ["--detach"])
            if self._request.terminal:
                return self._with_terminal(keys)
            return self._with_streams()
        finally:
            for suffix in (".json", ".log", ".pid"):
                try:
                    os.unlink(self._stem + suffix)
                except FileNotFoundError:
                    continue

    def _process(self) -> dict[str, Any]:
        container, request = self._container, self._request
        config, host_config = dict(container.config), container.host_config
        if request.privileged:
            host_config = {**host_config, "Privileged": True}
        host = Host.probe()
        inside = os.open(f"/proc/{container.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if start_ticks(container.pid) != container.pid_ticks:
                raise NotRunning(container.id)
            user = _find_user(inside, request.user or config.get("User") or "", host_config.get("GroupAdd") or ())
            config["Entrypoint"], config["Cmd"] = None, request.command
            config["Env"] = [*(config.get("Env") or ()), *request.environment]
            config["WorkingDir"] = request.directory or config.get("WorkingDir") or "/"
            config["Tty"] = request.terminal and not request.detach
            granted = container_capabilities(host_config, host)
            value = process(config, host_config, user, granted, host, config.get("Hostname") or "")
            _check_directory(inside, value["cwd"], f"exec in {self._name}")
            check_command(inside, request.command[0], value["env"], value["cwd"], f"exec in {self._name}")
        finally:
            os.close(inside)
        return value

    def _write(self, value: dict[str, Any]) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(f"{self._stem}.json", flags, 0o600)
        try:
            os.write(descriptor, jsontext.dumps(value).encode("utf-8", "surrogateescape"))
        finally:
            os.close(descriptor)

    def _null_streams(self) -> tuple[int, int, int]:
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        return null, null, null

    def _with_streams(self) -> int:
        """The process has our own streams; Ctrl-C reaches it by the terminal, and we wait for what it makes of it."""
        null = -1 if self._request.interactive else os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        before = [(number, signals.handle(number, _wait_on)) for number in (signals.INT, signals.QUIT)]
        try:
            return self._start((0 if null < 0 else null, 1, 2), [])
        finally:
            for number, handler in before:
                signals.handle(number, handler)

    def _start(self, streams: tuple[int, int, int], options: list[str]) -> int:
        """Call the runtime and wait for it. Returns its exit code, the process's own when it is not detached."""
        runtime = runtime_of(self._root, self._container)
        log = f"{self._stem}.log"
        arguments = [*runtime.arguments(self._root.run, log), "exec", *options]
        arguments += ["--process", f"{self._stem}.json", self._container.id]
        enclosure = Enclosure(self._root.run, runtime)
        try:
            pid = enclosure.spawn(arguments, streams, os.path.dirname(self._stem))
        finally:
            enclosure.leave()
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code:
            from hardtack.container.refusals import last_error, start_failure

            if reason := last_error(log):
                raise start_failure(reason, self._request.command[0], self._name, "exec in")
        return code if code >= 0 else 128 - code

    def _with_terminal(self, keys: bytes) -> int:
        """The process has a terminal of its own, and is our child, so that its exit code is ours to collect."""
        from hardtack.container.exec_terminal import Terminal
        from hardtack.container.stdio import Stdio
        from hardtack.linux.process import become_subreaper

        become_subreaper()
        directory = os.open(os.path.dirname(self._stem), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        name = os.path.basename(self._stem) + ".sock"
        stdio = Stdio.terminal(directory, name)
        os.close(directory)
        try:
            options = ["--detach", "--pid-file", f"{self._stem}.pid", "--console-socket", name]
            self._start(stdio.child, options)
            stdio.receive()
            with open(f"{self._stem}.pid", encoding="ascii") as file:
                pid = int(file.read())
            return Terminal(stdio.stdin, pid, self._request.interactive, keys).relay()
        finally:
            stdio.close()
            try:
                os.unlink(f"{self._stem}.sock")
            except FileNotFoundError:
                pass


def _find_user(inside: int, text: str, further: Sequence[str]) -> User:
    """As `find_user`; docker's exec calls what it cannot become "not runnable"."""
    try:
        return find_user(inside, text, further)
    except UserUnknown as error:
        error.exit_code = 126
        raise


def _check_directory(inside: int, path: str, doing: str) -> None:
    """See that the working directory is one, before the runtime complains on the user's own streams. 126 as docker."""
    try:
        if not path.startswith("/"):
            raise StartFailed(f'cannot {doing}: the working directory "{path}" is not an absolute path', 126)
        os.close(open_in_root(inside, path, os.O_PATH | os.O_DIRECTORY))
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise StartFailed(f'cannot {doing}: chdir to cwd ("{path}") failed: {why}', 126) from None


def _wait_on(_number: int, _frame: object) -> None:
    """A signal that is meant for the process, which has the same terminal."""
