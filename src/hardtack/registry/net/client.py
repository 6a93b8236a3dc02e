"""Sessions of an HTTP client that connect to no address that the filter refuses, whatever a name or a redirect says.

The addresses that a name resolves to are filtered, and only those are connected to; the socket of every connection is
made here, so that an address that did not come through the resolver, one written in a URL, is checked as well.
No proxy of the environment is used, since it would resolve names where nothing filters them.
"""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from hardtack.registry.net.filter import AddressForbidden

if TYPE_CHECKING:
    from hardtack.registry.net.filter import AddressFilter

_HEADER_LIMIT = 16 << 10
_NAMES_KEPT = 10


class _Passed(str):
    """An address that was checked together with the name that it belongs to."""

    __slots__ = ()


class FilteringResolver(AbstractResolver):
    """Resolves names to addresses that may be called, and fails when there are none.

    Args:
        inner: what resolves.
    """

    def __init__(self, addresses: AddressFilter, inner: AbstractResolver | None = None) -> None:
        self._filter = addresses
        self._inner = ThreadedResolver() if inner is None else inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Addresses of a host. Raises AddressForbidden when it has others only, OSError when it has none."""
        found = await self._inner.resolve(host, port, family)
        refused: AddressForbidden | None = None
        passed: list[ResolveResult] = []
        for one in found:
            try:
                self._filter.check(one["host"], host)
            except AddressForbidden as error:
                refused = error
            else:
                passed.append({**one, "host": _Passed(one["host"])})
        if refused is not None and not passed:
            raise refused
        return passed

    async def close(self) -> None:
        """Let go of the resolver within."""
        await self._inner.close()


def connector(
    addresses: AddressFilter,
    tls: ssl.SSLContext | None = None,
    limit_per_host: int = 0,
    resolver: AbstractResolver | None = None,
) -> aiohttp.TCPConnector:
    """Makes connections to allowed addresses.

    Args:
        tls: for https; the system's certificates are trusted when there is none.
        limit_per_host: connections at a time; 0 for any number.
        resolver: what resolves names, when it is not the system.
    """

    def make(info: tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]) -> socket.socket:
        family, kind, protocol, _, place = info
        if not isinstance(place[0], _Passed):
            addresses.check(place[0])
        return socket.socket(family, kind, protocol)

    return aiohttp.TCPConnector(
        ssl=True if tls is None else tls,
        resolver=FilteringResolver(addresses, resolver),
        socket_factory=make,
        limit_per_host=limit_per_host,
        ttl_dns_cache=_NAMES_KEPT,
    )


def session(
    addresses: AddressFilter,
    timeout: aiohttp.ClientTimeout,
    tls: ssl.SSLContext | None = None,
    limit_per_host: int = 0,
    resolver: AbstractResolver | None = None,
) -> aiohttp.ClientSession:
    """A session for requests to strangers: filtered addresses, no cookies, nothing unpacked, no proxy. Close it.

    The filter sees redirects too, but headers follow them: pass `allow_redirects=False` when one is a secret.
    """
    return aiohttp.ClientSession(
        connector=connector(addresses, tls, limit_per_host, resolver),
        timeout=timeout,
        headers={"User-Agent": "hardtack"},
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        max_line_size=_HEADER_LIMIT,
        max_field_size=_HEADER_LIMIT,
    )


def trusting(ca: str) -> ssl.SSLContext:
    """TLS that trusts the system's certificates and those of a file besides.

    Raises:
        OSError, ssl.SSLError: it cannot be read, or holds no certificates.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(ca)
    return context
