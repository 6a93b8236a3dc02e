"""The near end of an attached container: this process's terminal and streams on one side, a monitor on the other.

Output is written as it comes and nothing is lost, however slow the reader; input is taken only as fast as the
container reads. Signals reach the container's process directly, the terminal's mode always comes back.
"""

from __future__ import annotations

import os
import select

from hardtack import jsontext
from hardtack.container import frames
from hardtack.container.errors import MonitorLost, StartFailed, StoppedWaiting
from hardtack.container.keys import Keys
from hardtack.container.stdio import connect
from hardtack.linux import process, signals, tty

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable

DETACHED = -1
"""What `relay` returns when the detach keys were typed."""

_PIECE = 65_536
_NOT_PROXIED = frozenset(
    (signals.CHLD, 13, 23, signals.KILL, signals.STOP, 20, 21, 22, signals.WINCH, signals.CONT, 11, 4, 8, 7)
)
"""CHLD, PIPE, URG and job control stay here; KILL and STOP cannot be caught; SEGV, ILL, FPE, BUS mean ourselves."""
_PATIENCE = 3
"""So many ctrl-c or TERM, and who sent them gets his shell back, as with docker: a first process may ignore them."""


class Relay:
    """One attached session.

    Args:
        connection: to the monitor.
        ident: of the container, for messages.
        stdin: whether our input goes to the container.
        terminal: whether the container has a terminal, so that ours becomes raw.
        keys: the detach keys, see `keys.parse_keys`.
        reader: where frames are cut; with what arrived already.
    """

    __slots__ = ("_connection", "_ident", "_keys", "_outgoing", "_reader", "_resized", "_stdin", "_terminal", "_wake")

    def __init__(
        self,
        connection: socket,
        ident: str,
        stdin: bool,
        terminal: bool,
        keys: bytes = b"",
        reader: frames.Reader | None = None,
    ) -> None:
        self._connection = connection
        self._ident = ident
        self._stdin = stdin
        self._terminal = terminal
        self._keys = Keys(keys if terminal else b"")
        self._reader = reader or frames.Reader()
        self._outgoing = bytearray()
        self._resized = terminal
        self._wake = -1

    def run(self, early: list[tuple[int, bytes]], pid: int = 0, proxy: bool = False) -> int:
        """Relay until the container has ended.

        Args:
            early: frames that came before.
            pid: of the container's process, to pass signals to.
            proxy: whether to.
        Returns:
            The exit code, or `DETACHED`.
        Raises:
            MonitorLost: the connection ended without an exit code.
            StoppedWaiting: it ignored what it was sent, again and again.
            BrokenPipeError: who read our output went away. The container goes on.
        """
        self._connection.setblocking(False)
        restore = self._watch_signals(pid if proxy else 0)
        try:
            with tty.RawMode(0 if self._terminal and self._stdin else -1):
                return self._loop(early)
        finally:
            restore()

    def _loop(self, early: list[tuple[int, bytes]]) -> int:
        for kind, payload in early:
            code = self._on_frame(kind, payload)
            if code is not None:
                return code
        while True:
            if self._resized:
                self._send_size()
            events = dict(self._poll().poll())
            if self._wake in events:
                os.read(self._wake, 512)
            number = self._connection.fileno()
            if number in events:
                if events[number] & select.POLLOUT:
                    self._flush()
                if events[number] & ~select.POLLOUT:
                    code = self._receive()
                    if code is not None:
                        return code
            if 0 in events and self._read_input():
                return DETACHED

    def _poll(self) -> select.poll:
        poll = select.poll()
        poll.register(self._connection, select.POLLIN | (select.POLLOUT if self._outgoing else 0))
        if self._stdin and not self._outgoing:
            poll.register(0, select.POLLIN)
        if self._wake >= 0:
            poll.register(self._wake, select.POLLIN)
        return poll

    def _receive(self) -> int | None:
        try:
            data = self._connection.recv(_PIECE)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            data = b""
        if not data:
            raise MonitorLost(self._ident)
        for kind, payload in self._reader.feed(data):
            code = self._on_frame(kind, payload)
            if code is not None:
                return code
        return None

    def _on_frame(self, kind: int, payload: bytes) -> int | None:
        if kind in (frames.STDOUT, frames.STDERR):
            write_all(kind, payload)
        elif kind == frames.EXITED:
            return int(payload)
        elif kind == frames.FAILED:
            failure = jsontext.loads(payload)
            raise StartFailed(failure["message"], failure["exit_code"], failure["hint"])
        elif kind == frames.STARTED:
            self._resized = self._terminal  # started again: its new terminal does not know our size
        return None

    def _read_input(self) -> bool:
        """Pass input on. Returns whether the detach keys were typed."""
        try:
            data = os.read(0, _PIECE)
        except OSError:
            data = b""
        if not data:
            self._stdin = False
            self._send(frames.STDIN_END)
            return False
        data, detach = self._keys.feed(data)
        if data:
            self._send(frames.STDIN, data)
        return detach

    def _send(self, kind: int, payload: bytes = b"") -> None:
        self._outgoing += frames.frame(kind, payload)
        self._flush()

    def _flush(self) -> None:
        while self._outgoing:
            try:
                sent = self._connection.send(self._outgoing)
            except BlockingIOError:
                return
            except OSError:
                self._outgoing.clear()  # what it had to say is still to be read
                return
            del self._outgoing[:sent]

    def _send_size(self) -> None:
        self._resized = False
        rows, columns = tty.window_size(1 if tty.is_terminal(1) else 0)
        if rows or columns:
            self._send(frames.RESIZE, f"{rows} {columns}".encode())

    def _watch_signals(self, pid: int) -> Callable[[], None]:
        """Have signals passed on while we relay. Returns what gives the old handlers back."""
        before: list[tuple[int, signals.Handler]] = []
        pidfd = -1
        if self._terminal:
            self._wake, wake_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            signals.wake_by(wake_end)
            before.append((signals.WINCH, signals.handle(signals.WINCH, self._on_resize)))
        if pid:
            try:
                pidfd = process.pidfd_open(pid)
            except ProcessLookupError:
                pidfd = -1
        if pidfd >= 0:
            asked = 0

            def pass_on(number: int, _frame: object) -> None:
                nonlocal asked
                asked += number in (signals.INT, signals.TERM)
                if asked == _PATIENCE:
                    raise StoppedWaiting(self._ident)
                try:
                    process.pidfd_send_signal(pidfd, number)
                except ProcessLookupError:
                    pass

            for number in range(1, 32):
                if number not in _NOT_PROXIED:
                    before.append((number, signals.handle(number, pass_on)))

        def restore() -> None:
            for number, handler in before:
                signals.handle(number, handler)
            if pidfd >= 0:
                os.close(pidfd)

        return restore

    def _on_resize(self, _number: int, _frame: object) -> None:
        self._resized = True


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything, waiting for a slow reader.

    Raises:
        BrokenPipeError: the reader has gone away.
    """
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:  # somebody else's setting of a shared terminal
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()


def attach(directory: str, ident: str, wants: frozenset[str]) -> tuple[socket, frames.Reader, list[tuple[int, bytes]]]:
    """Connect to the monitor of a running container.

    Args:
        directory: the container's run directory.
        wants: streams; none to wait for the end only.
    Returns:
        The connection, a reader, and what came with the welcome; nothing is missed from here on.
    Raises:
        MonitorLost: nobody listens.
    """
    try:
        connection = connect(directory, "attach.sock")
    except OSError:
        raise MonitorLost(ident) from None
    try:
        connection.sendall(frames.frame(frames.HELLO, " ".join(sorted(wants)).encode()))
        reader = frames.Reader()
        early: list[tuple[int, bytes]] = []
        welcome = False
        while not welcome:
            data = connection.recv(_PIECE)
            if not data:
                raise MonitorLost(ident)
            for kind, payload in reader.feed(data):
                if kind == frames.WELCOME:
                    welcome = True
                else:
                    early.append((kind, payload))
    except OSError:
        connection.close()
        raise MonitorLost(ident) from None
    except BaseException:
        connection.close()
        raise
    return connection, reader, early
