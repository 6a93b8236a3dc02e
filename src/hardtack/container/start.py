"""Start a container: claim it, fork its monitor, hear how it went; then watch along, or leave it alone.

The monitor is forked first and gets ready while the rest is found out; the starter waits for nothing but its report.
A container whose monitor was lost is reconciled first, so that a start always begins from the truth.
"""

from __future__ import annotations

import _socket
import _thread
import os
import time

from hardtack import jsontext
from hardtack.container import frames, states
from hardtack.container.errors import MonitorLost, StartFailed, WrongState
from hardtack.container.row import claim, get
from hardtack.linux import cgroup
from hardtack.linux.process import close_descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket

    from hardtack.container.row import Container
    from hardtack.store.root import Root

_POLL = 0.005
_PATIENCE = 60.0
ALL_OUTPUT = frozenset(("stdout", "stderr"))


class Session:
    """The connection to a container that was just started.

    Attributes:
        notes: lines that a person should see.
        pid: of the container's process on this host.
        socket: to its monitor.
        reader: holds what came after the report.
        early: frames that have come already.
    """

    __slots__ = ("container", "early", "notes", "pid", "reader", "socket")

    def __init__(self, container: Container, connection: socket) -> None:
        self.container = container
        self.socket = connection
        self.reader = frames.Reader()
        self.early: list[tuple[int, bytes]] = []
        self.notes: list[str] = []
        self.pid = 0

    def wait_started(self) -> None:
        """Wait for the report.

        Raises:
            StartFailed: with docker's exit code.
            MonitorLost: the monitor was killed meanwhile.
        """
        while not self.pid:
            data = self.socket.recv(65_536)
            if not data:
                raise MonitorLost(self.container.id)
            for kind, payload in self.reader.feed(data):
                if kind == frames.STARTED and not self.pid:
                    self.pid = int(payload)
                elif kind == frames.NOTE:
                    self.notes.append(payload.decode())
                elif kind == frames.FAILED:
                    failure = jsontext.loads(payload)
                    raise StartFailed(failure["message"], failure["exit_code"], failure["hint"])
                else:
                    self.early.append((kind, payload))

    def close(self) -> None:
        """Stop listening; the container goes on."""
        self.socket.close()


class Pad:
    """A monitor that stands by: forked early, it imports and opens what it needs while the caller finds the container.

    Use it as a with-block around finding or making the container; `go` starts it. A monitor that is never told to go
    ends by itself.

    Args:
        root: where the container is going to be.
    """

    __slots__ = ("_connection",)

    def __init__(self, root: Root) -> None:
        # SQLite's locks belong to a process: a child that inherits an open database believes to hold its parent's.
        root.close()
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        if os.fork() == 0:
            try:
                close_descriptors([0, 1, 2, theirs.fileno()])  # locks of the caller's other threads
                from hardtack.container.monitor import stand_by

                stand_by(root, theirs)
            except Exception as error:  # noqa: BLE001  as when a module of ours is damaged: the starter has to hear it
                message = f"cannot start container: internal error: {type(error).__name__}: {error}"
                failure = jsontext.dumps({"message": message, "hint": "", "exit_code": 125})
                theirs.sendall(frames.frame(frames.FAILED, failure.encode()))
            finally:
                os._exit(125)
        theirs.close()
        self._connection: socket | None = ours
        # Moving a process into a control group waits for the kernel, 8 to 15 ms the first time and nothing soon after.
        _thread.start_new_thread(cgroup.warm_up, ())

    def go(self, container: Container, wants: frozenset[str] = frozenset(), size: tuple[int, int] = (0, 0)) -> Session:
        """Start a container that is claimed by this process (see `take`), and wait until it runs.

        Args:
            wants: "stdin", "stdout", "stderr": what the session is to carry; nothing is missed of it.
            size: rows and columns of the caller's terminal.
        Returns:
            The session, to be closed.
        Raises:
            StartFailed, MonitorLost: it does not run.
        """
        connection, self._connection = self._connection, None
        assert connection is not None
        order = {"id": container.id, "wants": sorted(wants), "size": size}
        session = Session(container, connection)
        try:
            connection.sendall(frames.frame(frames.HELLO, jsontext.dumps(order).encode()))
            session.wait_started()
        except (BrokenPipeError, ConnectionResetError):
            connection.close()
            raise MonitorLost(container.id) from None
        except BaseException:
            connection.close()
            raise
        return session

    def __enter__(self) -> Pad:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def start(root: Root, container: Container, wants: frozenset[str] = frozenset()) -> Session:
    """Start a container that is claimed by this process; see `Pad.go`."""
    with Pad(root) as pad:
        return pad.go(container, wants)


def take(root: Root, ident: str) -> Container | None:
    """Claim a container for starting.

    Returns:
        None when it runs already, which docker counts as success.
    Raises:
        WrongState: it is paused, being removed, or gone.
    """
    from hardtack.container.reconcile import settle

    until = time.monotonic() + _PATIENCE
    while True:
        with root.transaction() as db:
            found = get(db, ident)
            if found is None:
                raise WrongState("start", ident[:12], "gone")
            free = not found.claimed()
            if free and found.monitor == 0:
                if found.state == states.RUNNING:
                    free = False
                else:
                    states.after(found.state, "start", "start", found.name)
                    claim(db, ident)
                    db.execute("UPDATE container SET stopped = 0 WHERE id = ?", (ident,))
                    return found
        if free or found.monitor == 0:
            settle(root, found)  # whoever held it has died
        elif found.state == states.RUNNING:
            return None
        elif found.state == states.PAUSED:
            raise WrongState("start", found.name, "paused", "Use `tack unpause` instead")
        elif found.state == states.REMOVING:
            raise WrongState("start", found.name or ident[:12], "being removed")
        elif time.monotonic() > until:
            raise WrongState("start", found.name, f"held by process {found.monitor}")
        else:
            time.sleep(_POLL)  # it is starting, or its last run is being cleaned up
