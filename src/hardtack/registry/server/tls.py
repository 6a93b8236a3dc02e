"""HTTPS: certificates that are read again when they change, and a door that tells HTTP from HTTPS by its first byte.

A connection keeps the certificate that it began with; new ones get the new one. A pair of files that does not fit, as
in the moment when only one of the two was replaced, is not taken: the old pair goes on.

Source: RFC 8446, section 5.1 (a handshake record begins with 22); RFC 7301 (ALPN).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl
from typing import TYPE_CHECKING

from hardtack.registry.errors import CannotServe
from hardtack.registry.metrics import Count

if TYPE_CHECKING:
    from collections.abc import Callable

    from hardtack.registry.metrics import Metrics

log = logging.getLogger("hardtack.registry")

_LOOK = 2.0
_HANDSHAKE = 0x16
_AT_ONCE = 64
_PAUSE = 0.5
_TOO_MANY = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_BODY = (
    b'{"errors":[{"code":"UNSUPPORTED","message":"this is the port of an HTTPS server, and an HTTP request came. '
    b'Call it with https://"}]}'
)
_REFUSAL = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n"
    + f"Content-Length: {len(_BODY)}\r\n\r\n".encode()
    + _BODY
)


def make_context(certificate: str, key: str) -> ssl.SSLContext:
    """A context for a server.

    Raises:
        CannotServe: a file cannot be read, or they do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    for path in (certificate, key):
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            raise CannotServe(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise CannotServe(
            f"cannot use {certificate} with {key}: {_reason(error)}",
            "Give a certificate in PEM, followed by its issuers, and the private key that belongs to it",
        ) from error
    return context


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase, and nobody is there to type it")


def _reason(error: Exception) -> str:
    if not isinstance(error, ssl.SSLError):
        return str(error)
    if error.reason == "KEY_VALUES_MISMATCH":
        return "the key is not the certificate's"
    return error.reason.replace("_", " ").lower() if error.reason else "one of them is not PEM"


class Certificates:
    """The context that new connections get.

    Raises:
        CannotServe: as `make_context`.
    """

    def __init__(self, certificate: str, key: str) -> None:
        self._paths = certificate, key
        self._seen = self._look()
        self.context = make_context(certificate, key)

    def _look(self) -> tuple[object, ...]:
        found: list[object] = []
        for path in self._paths:
            try:
                status = os.stat(path)
                found.append((status.st_ino, status.st_mtime_ns, status.st_size))
            except OSError as error:
                found.append(error.errno)
        return tuple(found)

    def refresh(self) -> bool:
        """Take new files when there are some; returns whether there are."""
        seen = self._look()
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            self.context = make_context(*self._paths)
        except CannotServe as error:
            log.error("the certificate was changed, the old one stays in use: %s", error)
            return False
        log.info("the certificate was changed and is in use")
        return True

    async def watch(self) -> None:
        """Look for new files for ever."""
        while True:
            await asyncio.sleep(_LOOK)
            self.refresh()


class TlsDoor:
    """Lets connections of one listening socket in.

    Args:
        server: makes the protocol of a connection.
        patience: seconds for the first byte, and for the handshake.
        most: connections at a time that have not come through yet.
    """

    def __init__(
        self,
        sock: socket.socket,
        server: Callable[[], asyncio.Protocol],
        certificates: Certificates,
        metrics: Metrics,
        patience: float,
        most: int,
    ) -> None:
        self._sock = sock
        self._server = server
        self._certificates = certificates
        self._metrics = metrics
        self._patience = patience
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._coming: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._open()

    def _open(self) -> None:
        self._timer = None
        self._loop.add_reader(self._sock, self._accept)

    def close(self) -> None:
        """Let nobody else in; who is coming in still may."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._sock)
        self._sock.close()

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _TOO_MANY:
                    raise
                log.error("cannot accept connections for now: %s", error.strerror)
                self._loop.remove_reader(self._sock)
                self._timer = self._loop.call_later(_PAUSE, self._open)
                return
            if len(self._coming) >= self._most:
                self._metrics.add(Count.CONNECTIONS_REFUSED)
                connection.close()
                continue
            connection.setblocking(False)
            task = self._loop.create_task(self._let_in(connection))
            self._coming.add(task)
            task.add_done_callback(self._coming.discard)

    async def _let_in(self, connection: socket.socket) -> None:
        handed_over = False
        try:
            async with asyncio.timeout(self._patience):
                first = await self._first_byte(connection)
            if first == _HANDSHAKE:
                handed_over = True
                await self._loop.connect_accepted_socket(
                    self._server,
                    connection,
                    ssl=self._certificates.context,
                    ssl_handshake_timeout=self._patience,
                    ssl_shutdown_timeout=1.0,
                )
            elif first is not None:
                _refuse(connection)
        except (OSError, TimeoutError):
            pass  # a client that goes away, is too slow, or speaks a TLS that we do not
        finally:
            if not handed_over:
                connection.close()

    async def _first_byte(self, connection: socket.socket) -> int | None:
        while True:
            try:
                data = connection.recv(1, socket.MSG_PEEK)
                return data[0] if data else None
            except (BlockingIOError, InterruptedError):
                await self._readable(connection)

    async def _readable(self, connection: socket.socket) -> None:
        ready = self._loop.create_future()
        self._loop.add_reader(connection, _tell, ready)
        try:
            await ready
        finally:
            self._loop.remove_reader(connection)


def _tell(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _refuse(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.send(_REFUSAL)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 16):
            pass  # what is left unread would have the kernel take the answer back
