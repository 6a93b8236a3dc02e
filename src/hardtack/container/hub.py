"""The monitor's loop: a container's streams on one side, its log and any number of clients on the other.

Nothing here blocks, and nothing is lost: when a client cannot keep up, the container's output waits, and when the
container does not read, the client's input waits. What starts, ends or is recorded is the monitor's business.
"""

from __future__ import annotations

import os
import select

from hardtack.container import frames
from hardtack.container.stdio import accept, read_some
from hardtack.linux import tty

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable

    from hardtack.container.jsonlog import LogFile
    from hardtack.container.stdio import Stdio

_BACKLOG = 1 << 18
"""Bytes that wait for one client before the container has to wait too."""
_INPUT_BACKLOG = 1 << 16
_IN, _OUT, _GONE = select.POLLIN, select.POLLOUT, select.POLLHUP | select.POLLERR | select.POLLNVAL
_KINDS = {"stdout": frames.STDOUT, "stderr": frames.STDERR}


class Client:
    """One connection.

    Attributes:
        pending: bytes that it has not taken yet.
        wants: names of the streams it asked for.
        greeted: it has said HELLO.
    """

    __slots__ = ("greeted", "leaving", "pending", "reader", "socket", "wants")

    def __init__(self, connection: socket, wants: frozenset[str] = frozenset(), greeted: bool = False) -> None:
        self.socket = connection
        self.reader = frames.Reader()
        self.pending = bytearray()
        self.wants = wants
        self.greeted = greeted
        self.leaving = False

    def send(self, kind: int, payload: bytes = b"") -> None:
        """Queue a frame, and hand over at once what the socket takes."""
        self.pending += frames.frame(kind, payload)
        self.flush()

    def flush(self) -> None:
        """Hand over what the socket takes; a client that is gone has nothing pending."""
        while self.pending:
            try:
                sent = self.socket.send(self.pending)
            except BlockingIOError:
                return
            except OSError:
                self.leaving = True
                self.pending.clear()
                return
            del self.pending[:sent]


class Hub:
    """What one run of a container is connected to.

    Args:
        stdio: the container's streams.
        log: where they are recorded, or None.
        stdin_once: the end of a client's input is the end of the container's.
        wake: a descriptor that is readable when the container may have ended; never read here; -1 for none.
    """

    __slots__ = ("_input", "_input_ends", "clients", "listener", "log", "on_cancel", "stdin_once", "stdio", "wake")

    def __init__(self, stdio: Stdio, log: LogFile | None, stdin_once: bool, wake: int) -> None:
        self.stdio = stdio
        self.log = log
        self.stdin_once = stdin_once
        self.wake = wake
        self.listener: socket | None = None
        self.clients: list[Client] = []
        self.on_cancel: Callable[[], None] = _nothing
        self._input = bytearray()
        self._input_ends = False

    def step(self, timeout: float | None = None) -> bool:
        """Wait for something to do, and do it.

        Args:
            timeout: seconds; None for as long as it takes.
        Returns:
            Whether `wake` is readable.
        """
        poll, handlers = self._register()
        woken = False
        for descriptor, events in poll.poll(None if timeout is None else max(0, int(timeout * 1000))):
            if descriptor == self.wake:
                woken = True
            else:
                handlers[descriptor](events)
        self._drop_gone()
        return woken

    def _register(self) -> tuple[select.poll, dict[int, Callable[[int], None]]]:
        poll = select.poll()
        handlers: dict[int, Callable[[int], None]] = {}
        if self.wake >= 0:
            poll.register(self.wake, _IN)
        wanted: dict[int, int] = {}
        if not self._slow():
            for name, descriptor in self.stdio.outputs.items():
                wanted[descriptor] = _IN
                handlers[descriptor] = self._output_handler(name)
        if self._input and self.stdio.stdin >= 0:
            stdin = self.stdio.stdin
            wanted[stdin] = wanted.get(stdin, 0) | _OUT
            handlers[stdin] = self._stdin_handler(handlers.get(stdin))
        if self.listener is not None:
            wanted[self.listener.fileno()] = _IN
            handlers[self.listener.fileno()] = self._on_listener
        for client in self.clients:
            number = client.socket.fileno()
            accepts = len(self._input) < _INPUT_BACKLOG
            wanted[number] = (_IN if accepts else 0) | (_OUT if client.pending else 0)
            handlers[number] = self._client_handler(client)
        for descriptor, events in wanted.items():
            poll.register(descriptor, events)
        return poll, handlers

    def _slow(self) -> bool:
        return any(len(client.pending) > _BACKLOG for client in self.clients)

    def _output_handler(self, name: str) -> Callable[[int], None]:
        def handle(events: int) -> None:
            if events & (_IN | _GONE):
                self._on_output(name)

        return handle

    def _client_handler(self, client: Client) -> Callable[[int], None]:
        return lambda events: self._on_client(client, events)

    def _stdin_handler(self, output: Callable[[int], None] | None) -> Callable[[int], None]:
        def handle(events: int) -> None:
            if events & _OUT:
                self._write_input()
            if output is not None:
                output(events)
            elif events & _GONE:
                self._stdin_gone()

        return handle

    def _on_output(self, name: str) -> bool:
        """Take one piece of output. Returns whether there may be more."""
        descriptor = self.stdio.outputs.get(name)
        if descriptor is None:
            return False
        data = read_some(descriptor)
        if not data:
            if data is not None:
                self._output_ends(name)
            return False
        if self.log is not None:
            self.log.write(name, data)
        for client in self.clients:
            if name in client.wants:
                client.send(_KINDS[name], data)
        return True

    def _output_ends(self, name: str) -> None:
        """A terminal without a user; its descriptor stays until the end, since a resize may still come."""
        self.stdio.outputs.pop(name, None)

    def drain(self) -> None:
        """Take all output that is there, whatever the clients have taken: the container has ended."""
        for name in list(self.stdio.outputs):
            while self._on_output(name):
                pass
        if self.log is not None:
            self.log.end()

    def _on_listener(self, _events: int) -> None:
        assert self.listener is not None
        connection = accept(self.listener)
        if connection is not None:
            self.clients.append(Client(connection))

    def _on_client(self, client: Client, events: int) -> None:
        if events & _OUT:
            client.flush()
        if not events & (_IN | _GONE):
            return
        try:
            data = client.socket.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            client.leaving = True
            return
        try:
            for kind, payload in client.reader.feed(data):
                self._on_frame(client, kind, payload)
        except ValueError:
            client.leaving = True

    def _on_frame(self, client: Client, kind: int, payload: bytes) -> None:
        if kind == frames.HELLO:
            client.wants = frozenset(payload.decode("ascii", "replace").split())
            client.greeted = True
            client.send(frames.WELCOME)
        elif kind == frames.STDIN and self.stdio.stdin >= 0:
            self._input += payload
            self._write_input()
        elif kind == frames.STDIN_END:
            self._end_input()
        elif kind == frames.RESIZE and self.stdio.tty and self.stdio.stdin >= 0:
            rows, _, columns = payload.decode("ascii", "replace").partition(" ")
            if rows.isdigit() and columns.isdigit():
                tty.set_window_size(self.stdio.stdin, int(rows) & 0xFFFF, int(columns) & 0xFFFF)
        elif kind == frames.CANCEL:
            self.on_cancel()

    def _write_input(self) -> None:
        while self._input and self.stdio.stdin >= 0:
            try:
                written = os.write(self.stdio.stdin, self._input)
            except BlockingIOError:
                return
            except OSError:
                self._stdin_gone()
                return
            del self._input[:written]
        if self._input_ends and not self._input:
            self.stdio.close_stdin()

    def _stdin_gone(self) -> None:
        """The container closed its input: what comes for it goes nowhere."""
        self._input.clear()
        self.stdio.close_stdin()

    def _end_input(self) -> None:
        if self.stdin_once:
            self._input_ends = True
            self._write_input()

    def _drop_gone(self) -> None:
        for client in [client for client in self.clients if client.leaving]:
            self.clients.remove(client)
            client.socket.close()
            if "stdin" in client.wants:
                self._end_input()

    def announce(self, kind: int, payload: bytes) -> None:
        """Tell every client that has greeted."""
        for client in self.clients:
            client.send(kind, payload)

    def pending(self) -> bool:
        """Whether a client has not taken everything yet."""
        self._drop_gone()
        return any(client.pending for client in self.clients)

    def close(self) -> None:
        """Close the log, the listener and every connection."""
        if self.listener is not None:
            self.listener.close()
            self.listener = None
        if self.log is not None:
            self.log.close()
            self.log = None
        for client in self.clients:
            client.socket.close()
        self.clients = []
        self.stdio.close()


def _nothing() -> None:
    """No restart to cancel."""
