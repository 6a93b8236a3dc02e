"""Connections: aiohttp's protocol with a clock on every wait, so that slow or broken clients cannot hold a worker.

A connection is cut when the head of a request takes too long, when a body or an answer stands still, and when there
are too many of them. One timer per worker looks at all connections; a request costs it nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from hardtack.registry.metrics import Count, Level
from hardtack.registry.sender import Notes
from hardtack.registry.server.quick import is_whole

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hardtack.registry.config.limits import Limits
    from hardtack.registry.server.journal import Journal
    from hardtack.registry.server.quick import QuickLane

    Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_LOOK = 1.0
_NEVER = 10 * 365 * 86_400.0


class Connection(RequestHandler):
    """One client's connection.

    Attributes:
        heard: when the client last sent something, on the loop's clock.
        began: when the request now coming in began, or None between requests.
        is_last: the connection is closed after the answer to the present request.
        is_tls: what the client sends is not what comes through the socket.
        notes: what is known of the request that is being answered.
    """

    __slots__ = ("_answering", "_is_fresh", "_peer", "_server", "began", "heard", "is_last", "is_tls", "notes")

    def __init__(self, server: Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._server = server
        self.heard = 0.0
        self.began: float | None = None
        self._is_fresh = True
        self.is_last = False
        self.is_tls = False
        self.notes: Notes | None = None
        self._answering = 0.0
        self._peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the time; refuse one connection too many."""
        super().connection_made(transport)
        self.heard = self._loop.time()
        self.began = self.heard
        self.is_tls = transport.get_extra_info("sslcontext") is not None
        self._peer = (transport.get_extra_info("peername") or ("",))[0]
        metrics = self._server.journal.metrics
        metrics.add(Count.CONNECTIONS)
        if self._server.is_crowded():
            metrics.add(Count.CONNECTIONS_REFUSED)
            self.force_close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop waiting for the rest of a body that was not wanted and will not come."""
        task, lingers = self._task_handler, not self._request_in_progress
        super().connection_lost(exc)
        if lingers and task is not None:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        """Take in bytes."""
        now = self._loop.time()
        self.heard = now
        if data and self._is_fresh and self._answered_at_once(data):
            return
        if self.began is None:
            self.began = now
        super().data_received(data)
        if self._messages or self._request_in_progress:
            self.began = None

    def _answered_at_once(self, data: bytes) -> bool:
        """Try the quick lane, which is open while aiohttp waits for a request and has no part of one."""
        quick = self._server.quick
        if not is_whole(data):
            self._is_fresh = False
            return False
        waiter, transport = self._waiter, self.transport
        is_free = waiter is not None and not waiter.done() and not self._messages
        if is_free and transport is not None and self._answer_quickly(data, transport):
            self.began = None
            return True
        # aiohttp takes it. It will have nothing left over if no body follows.
        self._is_fresh = quick.is_plain(data.partition(b"\r\n")[2])
        return False

    def _answer_quickly(self, data: bytes, transport: asyncio.Transport) -> bool:
        if transport.get_write_buffer_size():
            return False
        start = time.perf_counter()
        journal = self._server.journal
        number = journal.quick_number(data, self._peer)
        quick = self._server.quick
        answer = quick.answer(data, number)
        if answer is None:
            return False
        transport.write(answer)
        journal.quick(data, self._peer, quick.who, number, len(answer), time.perf_counter() - start)
        return True

    def begin_answer(self, request: web.BaseRequest) -> str:
        """Note who sends a request, and that it is being answered. Returns its number."""
        self._answering = time.perf_counter()
        self.notes = Notes(self._server.journal.sender(request, self.is_tls))
        return self.notes.sender.number

    def note_gone(self, request: web.BaseRequest) -> None:
        """Note that the client has not waited for the answer."""
        self._server.journal.gone(request, time.perf_counter() - self._answering)

    def log_access(self, request: web.BaseRequest, response: web.StreamResponse, _: float | None) -> None:
        """Note a request that was answered; aiohttp calls this for every one."""
        if self.notes is None:
            self.begin_answer(request)  # what could not be read is answered by aiohttp itself
        seconds = time.perf_counter() - self._answering
        self._server.journal.answered(request, response.status, response.body_length, seconds)
        self.notes = None

    @property
    def is_waiting(self) -> bool:
        """Whether no request is being answered."""
        return not self._request_in_progress and not self._messages

    def is_overdue(self, now: float, limits: Limits) -> bool:
        """Whether the client has used up its time."""
        if not self.is_waiting:
            return self._is_reading_body() and now - self.heard > limits.body_idle
        if self.began is not None:
            return now - self.began > limits.header_time
        return now - self.heard > limits.keep_alive

    def _is_reading_body(self) -> bool:
        request, transport = self._current_request, self.transport
        if request is None or transport is None or request.content.is_eof():
            return False
        return transport.is_reading()  # else it is we who are slow

    def cut(self) -> None:
        """End the connection without ceremony."""
        if self.transport is not None:
            transport: Any = self.transport
            transport.abort()


class Server(web.Server):
    """aiohttp's low-level server, making our connections.

    Attributes:
        patience: how long requests in progress have at the end.
    """

    def __init__(self, handler: Handler, quick: QuickLane, limits: Limits, journal: Journal) -> None:
        super().__init__(
            self._handle,
            access_log=None,
            # Content is stored as it was sent: an upload that says it is compressed must not be unpacked.
            auto_decompress=False,
            keepalive_timeout=_NEVER,  # ours is the clock: aiohttp's does not hear what the quick lane answers
            read_bufsize=1 << 20,
        )
        self.quick = quick
        self.journal = journal
        self._handler = handler
        self._ending: float | None = None
        self._limits = limits
        self.patience = limits.finish
        self._timer: asyncio.TimerHandle | None = None
        self._look()

    def __call__(self) -> RequestHandler:
        """Make the protocol of a new connection."""
        return Connection(self, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Count it, and let the kernel drop a peer that takes nothing."""
        super().connection_made(handler, transport)
        sock = transport.get_extra_info("socket")
        with contextlib.suppress(OSError, AttributeError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self._limits.body_idle * 1000))

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        if not isinstance(connection, Connection):
            return await self._handler(request)
        number = connection.begin_answer(request)
        try:
            response = await self._handler(request)
        except asyncio.CancelledError:
            connection.note_gone(request)
            raise
        if not response.prepared:
            response.headers["X-Request-Id"] = number
        if self._ending is not None or connection.is_last:
            response.force_close()
        return response

    def is_crowded(self) -> bool:
        """Whether there are more connections than allowed."""
        return len(self._connections) > self._limits.connections

    def _look(self) -> None:
        now, metrics = self._loop.time(), self.journal.metrics
        for connection in list(self._connections):
            if isinstance(connection, Connection) and connection.is_overdue(now, self._limits):
                metrics.add(Count.CONNECTIONS_CUT)
                connection.cut()
        self.note_levels()
        metrics.beat(now)
        self._timer = self._loop.call_later(_LOOK, self._look)

    def note_levels(self) -> None:
        """Say how much there is to do at this moment."""
        metrics, connections = self.journal.metrics, list(self._connections)
        busy = sum(isinstance(connection, Connection) and not connection.is_waiting for connection in connections)
        metrics.note(Level.CONNECTIONS, len(connections))
        metrics.note(Level.REQUESTS, busy)

    async def end(self) -> None:
        """Let requests in progress finish, while there is patience, then close everything."""
        self._ending = self._loop.time()
        for connection in list(self._connections):
            if isinstance(connection, Connection) and connection.is_waiting:
                connection.force_close()
        while self._connections and self._loop.time() < self._ending + self.patience:
            await asyncio.sleep(0.02)
        if self._timer is not None:
            self._timer.cancel()
        await self.shutdown(0.5)

    def hurry(self) -> None:
        """Have no more patience than the limits say, from now on."""
        self._ending = self._loop.time()
        self.patience = self._limits.finish
