"""A worker's beginning: what the new process keeps of its parent, what it lets go, and how it says that it serves."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from typing import TYPE_CHECKING

from hardtack.errors import TackError
from hardtack.registry.server.logs import set_up
from hardtack.registry.server.worker import work

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from hardtack.registry.metrics import Metrics
    from hardtack.registry.server.settings import Settings

log = logging.getLogger("hardtack.registry")

SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
"""Those that the parent listens to; blocked while it forks."""


class Forking:
    """Makes workers.

    Args:
        slots: the listening sockets, for as many workers as there were at the start.
        private: descriptors of the parent that no worker is to have.
    Attributes:
        news: readable when a worker has begun to serve.
    """

    def __init__(self, slots: Sequence[Sequence[socket.socket]], private: Sequence[int]) -> None:
        self._slots = slots
        self._life, breath = os.pipe()  # the writing end is the parent's alone; its end tells workers of the parent's
        self.news, self._said = os.pipe()
        os.set_blocking(self.news, False)
        self._private = (breath, self.news, *private)

    def fork(self, settings: Settings, place: int, metrics: Metrics, is_fresh: bool) -> int:
        """Start a worker; the signals are blocked meanwhile. Returns its process id.

        Args:
            place: its number among those of its generation.
            is_fresh: its settings are not those that the parent has logged with so far.
        Raises:
            OSError: there can be no more processes.
        """
        pid = os.fork()
        if pid == 0:
            self._be_worker(settings, place, metrics, is_fresh)
        return pid

    def who_is_ready(self) -> list[int]:
        """The workers who have begun to serve since this was asked last."""
        return [int(pid) for pid in drained(self.news).split()]

    def close_sockets(self) -> None:
        """Let go of the parent's copies."""
        for slot in self._slots:
            for sock in slot:
                sock.close()

    def _be_worker(self, settings: Settings, place: int, metrics: Metrics, is_fresh: bool) -> None:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for descriptor in self._private:
                os.close(descriptor)
            for ordinary in (signal.SIGTERM, signal.SIGCHLD):
                signal.signal(ordinary, signal.SIG_DFL)
            for ours in (signal.SIGINT, signal.SIGHUP):
                signal.signal(ours, signal.SIG_IGN)  # they reach the whole group; the parent passes on what matters
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            if is_fresh:
                set_up(settings.config.server)
            asyncio.run(work(settings, self._sockets_of(place, settings.workers), self._life, metrics, self._say))
            code = 0
        except TackError as error:
            log.error("a worker failed: %s", error)
        except BaseException as error:
            log.error("a worker failed: %s: %s", type(error).__name__, error, exc_info=settings.debug)
        finally:
            logging.shutdown()
            os._exit(code)

    def _sockets_of(self, place: int, workers: int) -> list[socket.socket]:
        """The sockets of a worker, so that none is without one who serves it; the others are closed in this process."""
        found: list[socket.socket] = []
        for number, slot in enumerate(self._slots):
            if number % workers == place or place % len(self._slots) == number:
                found += slot
            else:
                for sock in slot:
                    sock.close()
        return found

    def _say(self) -> None:
        os.write(self._said, f"{os.getpid()}\n".encode())


def drained(descriptor: int) -> bytes:
    """What can be read from a pipe without waiting."""
    data = b""
    with contextlib.suppress(BlockingIOError):
        while chunk := os.read(descriptor, 4096):
            data += chunk
    return data
