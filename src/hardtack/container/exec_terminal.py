"""A person at the terminal of a process that exec has started: keys go in, the screen comes out, sizes follow."""

from __future__ import annotations

import os
import select

from hardtack.container.client import DETACHED, write_all
from hardtack.container.keys import Keys
from hardtack.container.stdio import read_some
from hardtack.linux import signals, tty


class Terminal:
    """Relays between our terminal and the process's.

    Args:
        master: the other end of the process's terminal, non-blocking.
        pid: of the process, our child.
        interactive: whether what is typed goes to it.
        keys: the detach keys.
    """

    __slots__ = ("_keys", "_master", "_pid", "_stdin")

    def __init__(self, master: int, pid: int, interactive: bool, keys: bytes) -> None:
        self._master = master
        self._pid = pid
        self._stdin = interactive
        self._keys = Keys(keys)

    def relay(self) -> int:
        """Until the process has ended or the detach keys were typed. Returns its exit code or `client.DETACHED`."""
        wake, wake_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signals.wake_by(wake_end)
        before = [(number, signals.handle(number, _wait_on)) for number in (signals.WINCH, signals.CHLD)]
        try:
            with tty.RawMode(0 if self._stdin else -1):
                return self._loop(wake)
        finally:
            signals.wake_by(-1)
            for number, handler in before:
                signals.handle(number, handler)
            os.close(wake)
            os.close(wake_end)

    def _loop(self, wake: int) -> int:
        self._resize()
        while True:
            poll = select.poll()
            poll.register(self._master, select.POLLIN)
            poll.register(wake, select.POLLIN)
            if self._stdin:
                poll.register(0, select.POLLIN)
            events = dict(poll.poll())
            if self._master in events and not self._pass_output():
                return self._collect(0)
            if wake in events:
                os.read(wake, 512)
                self._resize()
                code = self._collect(os.WNOHANG)
                if code >= 0:
                    while self._pass_output():
                        pass
                    return code
            if 0 in events and self._pass_input():
                return DETACHED

    def _resize(self) -> None:
        rows, columns = tty.window_size(1 if tty.is_terminal(1) else 0)
        if rows or columns:
            tty.set_window_size(self._master, rows, columns)

    def _pass_output(self) -> bool:
        """Returns whether there may be more to come."""
        data = read_some(self._master)
        if data:
            write_all(1, data)
        return bool(data)

    def _pass_input(self) -> bool:
        """Returns whether the detach keys were typed."""
        data = os.read(0, 65_536)
        if not data:
            self._stdin = False
            return False
        data, detach = self._keys.feed(data)
        while data:
            try:
                data = data[os.write(self._master, data) :]
            except BlockingIOError:
                poll = select.poll()
                poll.register(self._master, select.POLLOUT)
                poll.poll()
            except OSError:
                break  # it has ended
        return detach

    def _collect(self, flags: int) -> int:
        """The exit code, -1 while the process runs."""
        while True:
            try:
                found, status = os.waitpid(-1, flags)
            except ChildProcessError:
                return 255
            if found == self._pid:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
            if found == 0:
                return -1


def _wait_on(_number: int, _frame: object) -> None:
    """A signal that only wakes us."""
