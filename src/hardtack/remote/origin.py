"""Where a URL leads: the origin, to which credentials belong, and what is asked there.

Rules on text; nothing is connected to here. What a server says about where to go next is read strictly.
"""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from hardtack.remote.config import split_port

_PORTS = {"https": 443, "http": 80}


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
