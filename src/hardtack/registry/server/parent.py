"""The parent of the workers: it holds the port, starts a process per worker, replaces those that die, and ends them.

It has no event loop and next to no memory of its own. On SIGHUP it reads the configuration again and puts a new
generation of workers on the same sockets; the old ones let nobody else in and finish what they have begun.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import resource
import select
import signal
import time
from typing import TYPE_CHECKING

from hardtack.errors import TackError
from hardtack.registry.metrics import Board
from hardtack.registry.server.admission import admitted, first_password
from hardtack.registry.server.forking import SIGNALS, Forking, drained
from hardtack.registry.server.generations import Child, Generations
from hardtack.registry.server.logs import set_up
from hardtack.registry.server.reloading import merged
from hardtack.registry.server.sockets import bind
from hardtack.registry.server.stores import prepare_stores
from hardtack.registry.server.systemd import Notifier
from hardtack.registry.server.worker import RETIRE

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from hardtack.registry.server.settings import Settings

log = logging.getLogger("hardtack.registry")

_AGAIN = 1000  # milliseconds until what could not be started is tried again
_HEARTBEAT = 60.0  # a worker that has not stirred for so long hangs


def serve(
    settings: Settings,
    ready: Callable[[Settings, list[tuple[str, int]], str], None] | None = None,
    reread: Callable[[], Settings] | None = None,
) -> int:
    """Run the registry until SIGTERM or SIGINT.

    Args:
        ready: called once everything listens, with what was decided, the hosts and ports, and the one-time password
            of an admin who was made just now, or "".
        reread: the settings as they are now, for SIGHUP; raises TackError.
    Returns:
        The exit code: 0 after being told to stop, 1 when the workers cannot live.
    Raises:
        CannotServe: everybody is to be let in to a registry with accounts; the address is in use; the root is unusable.
    """
    check_tls(settings)
    _allow_descriptors()
    prepare_stores(settings.config)
    settings = admitted(settings)
    slots = bind(settings)
    password = first_password(settings)
    if ready is not None:
        ready(settings, [sock.getsockname()[:2] for sock in slots[0]], password)
    gc.collect()
    gc.freeze()  # what was imported so far stays shared with the workers
    return _Parent(settings, slots, reread).run()


def _allow_descriptors() -> None:
    """Have as many open files as we may: a connection is one, and a shell's usual limit is a thousand."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def check_tls(settings: Settings) -> None:
    """Refuse certificates that no worker could use. Raises CannotServe."""
    tls = settings.config.tls
    if tls.certificate:
        from hardtack.registry.server.tls import make_context

        make_context(tls.certificate, tls.key)


class _Parent:
    """The workers' parent; see the module."""

    def __init__(
        self, settings: Settings, slots: Sequence[Sequence[socket.socket]], reread: Callable[[], Settings] | None
    ) -> None:
        self._settings = settings
        self._reread = reread
        self._board = Board()
        self._generations = Generations(settings.workers)
        self._fresh: Settings | None = None  # what the generation that is being started has
        self._systemd = Notifier()
        self._awake, wake = os.pipe()
        for descriptor in (self._awake, wake):
            os.set_blocking(descriptor, False)
        self._wake = wake
        self._workers = Forking(slots, (self._awake, wake))

    def run(self) -> int:
        """Start the workers and wait for their end."""
        for number in SIGNALS:
            signal.signal(number, _heard)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._fill()
        poll = select.poll()
        for descriptor in (self._awake, self._workers.news):
            poll.register(descriptor, select.POLLIN)
        patience = None if self._systemd.watchdog is None else self._systemd.watchdog * 1000
        while self._generations.children or self._generations.missing():
            poll.poll(_AGAIN if self._generations.missing() else patience)
            self._hear_signals()
            self._hear_children()
            self._fill()
            if self._systemd.watchdog is not None and self._stirs():
                self._systemd.alive()
        return 1 if self._generations.failed else 0

    def _hear_signals(self) -> None:
        heard = drained(self._awake)
        for number in (signal.SIGTERM, signal.SIGINT):
            if number in heard:
                self._stop(heard.count(signal.SIGINT))
        if signal.SIGHUP in heard and not self._generations.stopping:
            self._reload()
        self._reap()

    def _hear_children(self) -> None:
        for pid in self._workers.who_is_ready():
            if self._generations.is_ready(pid):
                self._all_ready()

    def _all_ready(self) -> None:
        if self._fresh is not None:
            self._settings, self._fresh = self._fresh, None
            set_up(self._settings.config.server)
            log.warning("the configuration was read again and is in use")
        for child in self._generations.outdated():
            _tell(child.pid, RETIRE)
        self._systemd.ready(f"{self._settings.workers} workers")

    def _stop(self, interrupts: int) -> None:
        again = self._generations.stopping
        self._generations.stopping = True
        if again:
            if interrupts:
                self._signal(signal.SIGKILL)  # asked twice
            return
        self._systemd.stopping()
        self._workers.close_sockets()  # what the workers have stays open as long as they want it
        self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        for pid in list(self._generations.children):
            _tell(pid, number)

    def _reload(self) -> None:
        if self._reread is None:
            log.warning("there is no configuration to read again")
            return
        self._systemd.reloading()
        try:
            fresh, kept = merged(self._settings, self._reread())
            check_tls(fresh)
        except (TackError, OSError, ValueError) as error:
            log.error("the old configuration stays in use: %s", error)
            self._systemd.ready("the new configuration is wrong; the old one is in use")
            return
        for name in kept:
            log.warning("a change of %s is taken over by a restart only", name)
        self._give_up(self._generations.begin(fresh.workers))
        self._fresh = fresh
        self._fill()

    def _give_up(self, children: list[Child]) -> None:
        for child in children:
            _tell(child.pid, signal.SIGTERM)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            child = self._generations.remove(pid)
            if child is None:
                continue
            self._board.give_back(child.row)
            if self._generations.stopping or not self._generations.is_needed(child):
                continue
            self._mourn(child, status)

    def _mourn(self, child: Child, status: int) -> None:
        if self._fresh is not None and child.generation == self._generations.coming:
            log.error("the old configuration stays in use: a worker failed with the new one (%s)", _ending(status))
            self._fresh = None
            self._give_up(self._generations.abandon())
            self._systemd.ready("the new configuration failed; the old one is in use")
            self._fill()
            return
        log.error("a worker ended (%s); starting another", _ending(status))
        pause = self._generations.pause_after(child)
        if pause is None:
            log.error("workers die as soon as they start; giving up")
            self._signal(signal.SIGTERM)
            return
        time.sleep(pause)
        self._fill()

    def _fill(self) -> None:
        """Start the workers that are missing."""
        for generation, place in self._generations.missing():
            fresh = self._fresh if generation == self._generations.coming else None
            self._start(fresh or self._settings, generation, place)

    def _start(self, settings: Settings, generation: int, place: int) -> None:
        row = self._board.take()
        if row is None:
            log.error("cannot start a worker: too many are still finishing what they began")
            return
        # A signal that arrives here must find either no child or one that it is passed on to.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            pid = self._workers.fork(settings, place, self._board.row(row), settings is self._fresh)
            self._generations.add(Child(pid, generation, place, row, time.monotonic()))
        except OSError as error:
            log.error("cannot start a worker: %s", error.strerror)
            self._board.give_back(row)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _stirs(self) -> bool:
        """Whether a worker has shown signs of life lately."""
        now = time.monotonic()
        rows = [self._board.row(child.row) for child in self._generations.children.values()]
        return any(now - row.beaten() < _HEARTBEAT for row in rows)


def _heard(number: int, _: object) -> None:
    """Signals are read from the pipe that they wake; without a handler they would end us."""


def _tell(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit code {code}"
