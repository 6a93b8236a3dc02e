"""Connections to servers: made with timeouts and TLS, through a proxy where one is configured, and used again.

`Connections` lends each connection to one caller at a time and takes it back when its answer was read to the end, so
threads never share one and N threads need N at most. Failures of the network become errors of this layer here and
nowhere else. What is asked, and with whose credentials, is not known here.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading

from hardtack.remote.errors import (
    BadAnswer,
    Stalled,
    TooLarge,
    Truncated,
    Unreachable,
)
from hardtack.remote.network import reason_of, tls_context, translated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.remote.body import Body
    from hardtack.remote.config import HostConfig, RegistryConfig
    from hardtack.remote.origin import Origin
    from hardtack.remote.proxy import Proxies

_DRAIN = 65536  # what is left of an answer is read if it is no more than this, so that the connection can be used again


class Answer:
    """A server's answer: status and headers now, the body as it is read. Use it as a with-block.

    Attributes:
        origin: who answered, after redirects.
        target: what was asked there.
    """

    __slots__ = ("_failed", "_lender", "_line", "_open", "_response", "_stall", "headers", "origin", "status", "target")

    def __init__(
        self,
        line: _Line,
        response: http.client.HTTPResponse,
        target: str,
        lender: Connections,
    ) -> None:
        self._line = line
        self._response = response
        self._lender = lender
        self._open = True
        self._failed = False
        self._stall = lender.config.stall_timeout
        self.origin = line.origin
        self.target = target
        self.status = response.status
        self.headers = response.headers

    @property
    def announced(self) -> int | None:
        """What Content-Length said; after HEAD this is the length that GET would have."""
        text = self.headers.get("Content-Length", "").strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 19 else None

    @property
    def length(self) -> int | None:
        """What is still to come, when the server said it."""
        return self._response.length

    def read_some(self, limit: int, what: str = "an answer") -> bytes:
        """Whatever has arrived, at most `limit` bytes and by one system call; empty at the end.

        Raises:
            Stalled: nothing came for the stall timeout.
            Truncated, Unreachable: the connection broke.
        """
        self._failed = True
        try:
            chunk = self._response.read1(limit)
            self._failed = False
            return chunk
        except TimeoutError:
            raise Stalled(self.origin.authority, what, self._stall) from None
        except http.client.IncompleteRead:
            raise Truncated(self.origin.authority, what, 0, 0) from None
        except (http.client.HTTPException, ValueError) as error:
            raise BadAnswer(self.origin.authority, str(error) or type(error).__name__) from None
        except OSError as error:
            raise Unreachable(self.origin.authority, reason_of(error), transient=True) from None

    def body(self, limit: int, what: str = "an answer") -> bytes:
        """The whole body.

        Raises:
            TooLarge: it has more than `limit` bytes.
            Truncated: it ended before its announced length.
        """
        announced = self.length
        if announced is not None and announced > limit:
            raise TooLarge(self.origin.authority, what, limit, announced)
        parts: list[bytes] = []
        total = 0
        while chunk := self.read_some(65536, what):
            parts.append(chunk)
            total += len(chunk)
            if total > limit:
                raise TooLarge(self.origin.authority, what, limit)
        if announced is not None and total < announced:
            raise Truncated(self.origin.authority, what, total, announced)
        return b"".join(parts)

    def close(self) -> None:
        """Give the connection back if its answer is at an end, or nearly; else close it."""
        if not self._open:
            return
        self._open = False
        line, response = self._line, self._response
        if self._failed or (response.isclosed() and response.length):
            line.reusable = False  # it ended in the middle of the body
        elif not response.isclosed():
            left = response.length
            line.reusable = line.reusable and left is not None and left <= _DRAIN
            try:
                if line.reusable:
                    response.read()
                response.close()
            except (OSError, http.client.HTTPException):
                line.reusable = False
        self._lender.take_back(line)

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Line:
    """One connection, lent to one caller at a time."""

    __slots__ = ("aborted", "connection", "headers", "origin", "prefix", "reusable", "sock", "used")

    def __init__(
        self, origin: Origin, connection: http.client.HTTPConnection, prefix: str, headers: dict[str, str]
    ) -> None:
        self.origin = origin
        self.connection = connection
        self.sock = connection.sock  # the connection forgets it as soon as an answer says that it is the last
        self.prefix = prefix  # what stands before a target: a plain proxy wants whole URLs
        self.headers = headers
        self.used = False
        self.reusable = True
        self.aborted = False

    def abort(self) -> None:
        """Wake up whoever waits for the other side."""
        self.aborted, self.reusable = True, False
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def ask(self, method: str, target: str, headers: dict[str, str], body: Body | None) -> http.client.HTTPResponse:
        """Send a request and read the head of its answer."""
        connection = self.connection
        connection.putrequest(method, self.prefix + target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", self.origin.authority)
        for name, value in (*self.headers.items(), *headers.items()):
            connection.putheader(name, value)
        if body is None:
            if method in ("POST", "PUT", "PATCH"):
                connection.putheader("Content-Length", "0")
            connection.endheaders()
        else:
            connection.putheader("Content-Length", str(body.length))
            connection.endheaders()
            try:
                body.send(connection.sock)
            except (BrokenPipeError, ConnectionResetError):
                # The server may have answered, and closed, before it took everything: its answer says why.
                self.reusable = False
                response = connection.getresponse()
                if response.status < 300:
                    raise
                return response
        response = connection.getresponse()
        self.used = True
        if response.will_close:
            self.reusable = False
        return response


class Connections:
    """Lends connections; safe for any number of threads.

    Args:
        config: timeouts, and TLS by host.
        proxies: the environment's proxies.
    """

    def __init__(self, config: RegistryConfig, proxies: Proxies) -> None:
        self.config = config
        self._proxies = proxies
        self._lock = threading.Lock()
        self._idle: dict[Origin, list[_Line]] = {}
        self._lent: set[_Line] = set()
        self._contexts: dict[object, ssl.SSLContext] = {}
        self._hosts: dict[str, HostConfig] = {}

    def configure(self, origin: Origin, host: HostConfig) -> None:
        """Use a host's configuration for an origin that goes by another name (Docker Hub's API host)."""
        self._hosts[origin.authority] = host

    def host(self, origin: Origin) -> HostConfig:
        """What is configured for the server at an origin."""
        known = self._hosts.get(origin.authority)
        if known is None:
            known = self._hosts[origin.authority] = self.config.host(origin.authority)
        return known

    def ask(
        self, origin: Origin, method: str, target: str, headers: dict[str, str], body: Body | None = None
    ) -> Answer:
        """Send one request to one server and return its answer, whatever its status.

        Raises:
            RemoteError: no connection, no trust, no answer in time, or no HTTP.
        """
        while True:
            line = self._take(origin)
            again = line.used
            try:
                return Answer(line, line.ask(method, target, headers, body), target, self)
            except TimeoutError:
                self._drop(line)
                raise Stalled(origin.authority, "an answer", self.config.stall_timeout) from None
            except (http.client.HTTPException, OSError, ValueError) as error:
                self._drop(line)
                broken = isinstance(error, (ConnectionError, ssl.SSLError))
                # It had been closed while it was idle: that says nothing about the server. A blob on its way is not
                # simply sent again, because some of it may have been taken.
                if broken and again and not line.aborted and (body is None or body.repeatable):
                    continue
                raise translated(error, origin) from None
            except BaseException:
                self._drop(line)
                raise

    def take_back(self, line: _Line) -> None:
        """Receive a connection whose answer was dealt with."""
        if not line.reusable:
            self._drop(line)
            return
        with self._lock:
            self._lent.discard(line)
            self._idle.setdefault(line.origin, []).append(line)

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for lines in idle.values():
            for line in lines:
                line.connection.close()

    def abort(self) -> None:
        """Break off every answer that somebody waits for or reads now; each of them gets an error at once."""
        with self._lock:
            lent = list(self._lent)
        for line in lent:
            line.abort()

    def _drop(self, line: _Line) -> None:
        with self._lock:
            self._lent.discard(line)
        line.connection.close()

    def _take(self, origin: Origin) -> _Line:
        with self._lock:
            idle = self._idle.get(origin)
            if idle:
                line = idle.pop()
                self._lent.add(line)
                return line
        try:
            line = self._open(origin)
        except TimeoutError:
            reason = f"no answer within {self.config.connect_timeout:g} seconds"
            raise Unreachable(origin.authority, reason, transient=True) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise translated(error, origin, connecting=True) from None
        line.sock.settimeout(self.config.stall_timeout)
        with self._lock:
            self._lent.add(line)
        return line

    def _open(self, origin: Origin) -> _Line:
        proxy = self._proxies.choose(origin.scheme, origin.host, origin.port)
        host, port = (proxy.host, proxy.port) if proxy else (origin.host, origin.port)
        connection: http.client.HTTPConnection
        prefix, headers = "", {}
        said = {"Proxy-Authorization": proxy.authorization} if proxy and proxy.authorization else {}
        if origin.scheme == "https":
            connection = http.client.HTTPSConnection(
                host, port, timeout=self.config.connect_timeout, context=self._context(self.host(origin))
            )
            if proxy:
                connection.set_tunnel(origin.host, origin.port, said)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=self.config.connect_timeout)
            if proxy:
                prefix, headers = str(origin), said
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        return _Line(origin, connection, prefix, headers)

    def _context(self, host: HostConfig) -> ssl.SSLContext:
        key = (host.insecure, host.ca, host.client)
        with self._lock:
            context = self._contexts.get(key)
            if context is None:
                context = self._contexts[key] = tls_context(host)
        return context
