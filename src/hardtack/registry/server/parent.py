"""The parent of the workers: it holds the port, starts one process per worker, replaces those that die, and ends them.

It binds one socket per worker to the same port, so that the kernel spreads connections over them, and keeps the
sockets itself: what waits in the queue of a worker that died is served by its successor. It does nothing else, so it
has no event loop and next to no memory of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import os
import signal
import socket
import time
from typing import TYPE_CHECKING

from hardtack.registry.errors import CannotServe
from hardtack.registry.metadata.sqlite.database import prepare
from hardtack.registry.server.worker import database_path, work

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hardtack.registry.server.settings import Address, Settings

log = logging.getLogger("hardtack.registry")

_BACKLOG = 1024
_YOUNG = 2.0
_DEATHS_IN_A_ROW = 5


def serve(settings: Settings, ready: Callable[[list[tuple[str, int]]], None] | None = None) -> int:
    """Run the registry until SIGTERM or SIGINT.

    Args:
        ready: called once everything listens, with the hosts and ports.
    Returns:
        The exit code: 0 after being told to stop, 1 when the workers cannot live.
    Raises:
        CannotServe: the address is not loopback and nobody said that everybody may; it is in use; the root is unusable.
    """
    check_openness(settings)
    prepare_root(settings.root)
    slots = _bind(settings)
    places = [sock.getsockname()[:2] for sock in slots[0]]
    if ready is not None:
        ready(places)
    gc.collect()
    gc.freeze()  # what was imported so far stays shared with the workers
    return _Parent(settings, slots).run()


def check_openness(settings: Settings) -> None:
    """Refuse to serve strangers without accounts unless asked to.

    Raises:
        CannotServe: an address that others can reach, and no --open.
    """
    if settings.open_to_all or settings.on_loopback:
        return
    where = ", ".join(address.host for address in settings.addresses if not address.is_loopback)
    raise CannotServe(
        f"cannot serve on {where}: other machines can reach it and no account exists, so anybody could push and delete",
        "Listen on 127.0.0.1, or add --open if everybody may",
    )


def prepare_root(root: str) -> None:
    """Make the folder and the database. Raises CannotServe."""
    try:
        os.makedirs(root, mode=0o700, exist_ok=True)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise CannotServe(f"cannot use {root} for the registry's data: {why}") from error
    prepare(database_path(root))


def _bind(settings: Settings) -> list[list[socket.socket]]:
    """Sockets per worker, one per address. A port that was left open is chosen once and used for all."""
    chosen = 0
    slots: list[list[socket.socket]] = []
    for number in range(max(1, settings.workers)):
        slot = []
        for address in settings.addresses:
            port = address.port or chosen
            if number == 0:
                _expect_free(address, port)
            sock = _listen(address, port)
            chosen = chosen or sock.getsockname()[1]
            slot.append(sock)
        slots.append(slot)
    return slots


def _expect_free(address: Address, port: int) -> None:
    # Sharing a port is for our own workers; bound without that option, another server on it shows itself.
    if not port:
        return
    with socket.socket(address.family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bound(probe, address, port)


def _listen(address: Address, port: int) -> socket.socket:
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    _bound(sock, address, port)
    sock.listen(_BACKLOG)
    sock.setblocking(False)
    return sock


def _bound(sock: socket.socket, address: Address, port: int) -> None:
    if address.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        sock.bind((address.host, port))
    except OSError as error:
        sock.close()
        hint = "Choose another port with --listen, or stop what uses it" if error.errno == errno.EADDRINUSE else ""
        why = (error.strerror or str(error)).lower()
        raise CannotServe(f"cannot listen on {address.host} port {port}: {why}", hint) from error


class _Parent:
    """The workers' parent; see the module."""

    def __init__(self, settings: Settings, slots: Sequence[Sequence[socket.socket]]) -> None:
        self._settings = settings
        self._slots = slots
        self._children: dict[int, tuple[int, float]] = {}  # pid -> slot, when it was started
        self._deaths = 0
        self._stopping = False
        self._life, self._breath = os.pipe()  # the writing end is ours alone; its end tells children of ours

    def run(self) -> int:
        """Start the workers and wait for their end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for slot in range(len(self._slots)):
            self._start(slot)
        while self._children:
            pid, status = os.wait()
            slot, began = self._children.pop(pid, (-1, 0.0))
            if slot < 0 or self._stopping:
                continue
            if not self._replace(slot, began, status):
                return 1
        return 0

    def _stop(self, number: int, _: object) -> None:
        if self._stopping and number == signal.SIGINT:
            self._signal(signal.SIGKILL)  # asked twice
        self._stopping = True
        for slot in self._slots:
            for sock in slot:
                sock.close()  # so that nobody new is let in to wait for workers that end
        self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        for pid in list(self._children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _replace(self, slot: int, began: float, status: int) -> bool:
        lived = time.monotonic() - began
        self._deaths = self._deaths + 1 if lived < _YOUNG else 0
        log.error("a worker ended (%s); starting another", _ending(status))
        if self._deaths >= _DEATHS_IN_A_ROW:
            log.error("workers die as soon as they start; giving up")
            self._stopping = True
            self._signal(signal.SIGTERM)
            return False
        if self._deaths:
            time.sleep(0.1 * self._deaths)
        if not self._stopping:
            self._start(slot)
        return True

    def _start(self, slot: int) -> None:
        # A signal that arrives here must find either no child or one that it is passed on to.
        signals = {signal.SIGTERM, signal.SIGINT}
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        try:
            pid = os.fork()
            if pid == 0:
                self._be_worker(slot, signals)
            self._children[pid] = (slot, time.monotonic())
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)

    def _be_worker(self, slot: int, signals: set[signal.Signals]) -> None:
        code = 1
        try:
            os.close(self._breath)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-c reaches the whole group; the parent passes it on
            signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
            for number, others in enumerate(self._slots):
                if number != slot:
                    for sock in others:
                        sock.close()
            asyncio.run(work(self._settings, self._slots[slot], self._life))
            code = 0
        except BaseException as error:
            log.error("a worker failed: %s: %s", type(error).__name__, error, exc_info=self._settings.debug)
        finally:
            logging.shutdown()
            os._exit(code)


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit code {code}"
