"""Connections to servers: made with timeouts and TLS, through a proxy where one is configured, and used again.

`Connections` lends each connection to one caller at a time and takes it back when its answer was read to the end, so
threads never share one and N threads need N at most. Failures of the network become errors of this layer here and
nowhere else. What is asked, and with whose credentials, is not known here.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import threading
from urllib.parse import urljoin, urlsplit

from hardtack.remote.config import split_port
from hardtack.remote.errors import (
    BadAnswer,
    RemoteError,
    Stalled,
    TooLarge,
    Truncated,
    Unreachable,
    Untrusted,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.remote.body import Body
    from hardtack.remote.config import HostConfig, RegistryConfig
    from hardtack.remote.proxy import Proxies

_PORTS = {"https": 443, "http": 80}
_DRAIN = 65536  # what is left of an answer is read if it is no more than this, so that the connection can be used again
_BUNDLES = (  # where systems keep the authorities they trust, for a Python whose OpenSSL was built for another system
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "UNEXPECTED_EOF_WHILE_READING")


class Origin:
    """Scheme, host and port: what credentials belong to. Source: RFC 6454."""

    __slots__ = ("host", "port", "scheme")

    def __init__(self, scheme: str, host: str, port: int) -> None:
        self.scheme = scheme
        self.host = host
        self.port = port

    @classmethod
    def of(cls, scheme: str, authority: str) -> Origin:
        """The origin of an authority, `name[:port]`."""
        host, port = split_port(authority, _PORTS[scheme])
        return cls(scheme, host.lower(), port)

    @property
    def authority(self) -> str:
        """Host and port as a URL has them; the port only when it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Origin) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


def resolve(base: Origin, target: str, location: str) -> tuple[Origin, str]:
    """Where a Location header leads, seen from the request that got it.

    Returns:
        The origin, and the path with its query. User names in a URL and fragments are dropped.
    Raises:
        ValueError: no http or https URL.

    A server behind a proxy that ends TLS may call itself http; the same host by TLS is meant then.
    """
    if not location.isascii() or not location.isprintable() or len(location) > 16384:
        raise ValueError("a Location that is no URL")
    parts = urlsplit(urljoin(f"{base}{target}", location))
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"a Location that is no http URL: {location[:100]}")
    scheme = parts.scheme
    if scheme == "http" and base.scheme == "https" and parts.hostname == base.host and not parts.port:
        return base, _target(parts.path, parts.query)
    return Origin(scheme, parts.hostname, parts.port or _PORTS[scheme]), _target(parts.path, parts.query)


def _target(path: str, query: str) -> str:
    target = (path or "/").replace(" ", "%20")
    return f"{target}?{query}" if query else target


class Answer:
    """A server's answer: status and headers now, the body as it is read. Use it as a with-block.

    Attributes:
        origin: who answered, after redirects.
        target: what was asked there.
    """

    __slots__ = ("_lender", "_line", "_open", "_response", "_stall", "headers", "origin", "status", "target")

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
        try:
            return self._response.read1(limit)
        except TimeoutError:
            raise Stalled(self.origin.authority, what, self._stall) from None
        except http.client.IncompleteRead:
            raise Truncated(self.origin.authority, what, 0, 0) from None
        except (http.client.HTTPException, ValueError) as error:
            raise BadAnswer(self.origin.authority, str(error) or type(error).__name__) from None
        except OSError as error:
            raise Unreachable(self.origin.authority, _reason(error), transient=True) from None

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
        if not response.isclosed():
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

    __slots__ = ("connection", "headers", "origin", "prefix", "reusable", "used")

    def __init__(
        self, origin: Origin, connection: http.client.HTTPConnection, prefix: str, headers: dict[str, str]
    ) -> None:
        self.origin = origin
        self.connection = connection
        self.prefix = prefix  # what stands before a target: a plain proxy wants whole URLs
        self.headers = headers
        self.used = False
        self.reusable = True

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
                line.connection.close()
                raise Stalled(origin.authority, "an answer", self.config.stall_timeout) from None
            except (http.client.HTTPException, OSError, ValueError) as error:
                line.connection.close()
                broken = isinstance(error, (ConnectionError, http.client.RemoteDisconnected))
                # It had been closed while it was idle: that says nothing about the server. A blob on its way is not
                # simply sent again, because some of it may have been taken.
                if broken and again and (body is None or body.repeatable):
                    continue
                raise _translated(error, origin) from None
            except BaseException:
                line.connection.close()
                raise

    def take_back(self, line: _Line) -> None:
        """Receive a connection whose answer was dealt with."""
        if not line.reusable:
            line.connection.close()
            return
        with self._lock:
            self._idle.setdefault(line.origin, []).append(line)

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for lines in idle.values():
            for line in lines:
                line.connection.close()

    def _take(self, origin: Origin) -> _Line:
        with self._lock:
            idle = self._idle.get(origin)
            if idle:
                return idle.pop()
        try:
            line = self._open(origin)
        except TimeoutError:
            reason = f"no answer within {self.config.connect_timeout:g} seconds"
            raise Unreachable(origin.authority, reason, transient=True) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _translated(error, origin, connecting=True) from None
        line.connection.sock.settimeout(self.config.stall_timeout)
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
                context = self._contexts[key] = _tls(host)
        return context


def _tls(host: HostConfig) -> ssl.SSLContext:
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not (paths.cafile or paths.capath):
        for bundle in filter(os.path.exists, _BUNDLES):
            context.load_verify_locations(bundle)
            break
    try:
        for path in host.ca:
            context.load_verify_locations(path)
        if host.client:
            context.load_cert_chain(*host.client)
    except (OSError, ssl.SSLError) as error:
        raise Untrusted(host.host, f"a configured certificate cannot be read: {_reason(error)}") from None
    if host.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def _translated(error: Exception, origin: Origin, connecting: bool = False) -> RemoteError:
    """The error of this layer for one of the network's."""
    host = origin.authority
    if isinstance(error, RemoteError):
        return error
    if isinstance(error, ssl.SSLCertVerificationError):
        return Untrusted(host, error.verify_message)
    if isinstance(error, ssl.SSLError) and connecting:
        if error.reason in _NO_TLS:
            return Unreachable(
                host,
                "it does not speak TLS",
                hint=f'If that is meant to be so, set plain_http = true under [registry."{host}"] in config.toml',
            )
        return Untrusted(host, _reason(error))
    if isinstance(error, socket.gaierror):
        return Unreachable(host, "its name cannot be resolved")
    if isinstance(error, (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)):
        return Unreachable(host, "the connection was closed before an answer", transient=True)
    if isinstance(error, OSError):
        return Unreachable(host, _reason(error))
    return BadAnswer(host, f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "TLS failed").replace("_", " ").lower()
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.lower() or type(error).__name__
