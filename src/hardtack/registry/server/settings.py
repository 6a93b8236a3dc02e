"""How the server was asked to run, checked before anything is opened."""

from __future__ import annotations

import ipaddress
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardtack.registry.errors import CannotServe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hardtack.registry.config.document import Config

DEFAULT_PORT = 5000
_WORKERS_AT_MOST = 8
_HINT = "Give HOST:PORT, as in 127.0.0.1:5000"


@dataclass(frozen=True, slots=True)
class Address:
    """One address to listen on; `family` as in socket."""

    family: socket.AddressFamily
    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(self.host.partition("%")[0]).is_loopback


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a start of the server needs.

    Attributes:
        config: what was configured, with the folder of the data.
        addresses: where to listen; port 0 takes any free one.
        open_to_all: serve everybody who can reach the address, whatever it is.
        accounts: ask who they are, whatever the address is.
        mode: open, accounts or external; "" before it is decided.
        debug: log tracebacks.
    """

    config: Config
    addresses: tuple[Address, ...]
    open_to_all: bool = False
    accounts: bool = False
    mode: str = ""
    debug: bool = False

    @property
    def root(self) -> str:
        """The folder of the registry's data."""
        return self.config.data.root

    @property
    def workers(self) -> int:
        """Processes that serve."""
        return self.config.server.workers or default_workers()

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return all(address.is_loopback for address in self.addresses)


def default_workers() -> int:
    """One per processor that we may use, up to eight."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        count = os.cpu_count() or 1
    return min(count, _WORKERS_AT_MOST)


def listen_on(texts: Iterable[str]) -> tuple[Address, ...]:
    """Read several addresses. Raises CannotServe."""
    return tuple(dict.fromkeys(address for text in texts for address in parse_listen(text)))


def parse_listen(text: str) -> tuple[Address, ...]:
    """Read HOST:PORT, `[IPv6]:PORT`, `:PORT` (every address) or HOST.

    Returns:
        Every address that the host stands for, IPv4 first.
    Raises:
        CannotServe: no such host, or no such port.
    """
    host, port = _host_and_port(text)
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise CannotServe(f'cannot listen on "{text}": {(error.strerror or str(error)).lower()}', _HINT) from error
    addresses = dict.fromkeys(
        Address(socket.AddressFamily(family), str(place[0]), port)
        for family, _, _, _, place in found
        if family in (socket.AF_INET, socket.AF_INET6)
    )
    if not addresses:
        raise CannotServe(f'cannot listen on "{text}": the host has no address')
    return tuple(sorted(addresses, key=lambda address: address.family != socket.AF_INET))


def _host_and_port(text: str) -> tuple[str, int]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise CannotServe(f'cannot listen on "{text}": the bracket is not closed', _HINT)
        port = rest[1:]
    elif text.count(":") > 1:
        raise CannotServe(f'cannot listen on "{text}": an IPv6 address goes into brackets', "Write [::1]:5000")
    else:
        host, _, port = text.partition(":")
    if not port:
        return host, DEFAULT_PORT
    if not (port.isascii() and port.isdigit()) or int(port[:6]) > 65535:
        raise CannotServe(f'cannot listen on "{text}": {port[:20]} is no port', _HINT)
    return host, int(port)
