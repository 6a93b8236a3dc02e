"""Who is at the other end: the client's address, the address by which it calls us, and the number of its request.

Behind a proxy these come from headers, which are believed when one of the trusted proxies sent them and never else.
The server attaches a `Sender` to each request; everybody may ask for it here.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from hardtack.registry.config.options import Network

_HOST = re.compile(r"[A-Za-z0-9._~-]{1,255}(?::\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::\d{1,5})?", re.ASCII)
_NUMBER = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_HOPS = 32


@dataclass(frozen=True, slots=True)
class Sender:
    """The other end of a request.

    Attributes:
        address: of the client, as text; "" when unknown.
        origin: scheme, host and port by which the client calls the registry, without a slash at the end.
        number: of the request, for logs.
        direct: no proxy seems to be in between.
    """

    address: str
    origin: str
    number: str
    direct: bool = True

    @property
    def is_loopback(self) -> bool:
        """Whether the request comes from this machine, and not by way of a proxy on it."""
        try:
            return self.direct and ipaddress.ip_address(self.address).is_loopback
        except ValueError:
            return False


@dataclass(slots=True)
class Notes:
    """What is known of the request that a connection is answering; its protocol has them as `notes`.

    Attributes:
        who: the caller's name, once it is known; "" for nobody in particular.
        spliced: bytes of the body that went past the parser.
        kind: what the request is about, one of `metrics.KINDS`, once it is known.
    """

    sender: Sender
    who: str = ""
    spliced: int = 0
    kind: str = ""


def notes_of(request: web.BaseRequest) -> Notes:
    """What is known of a request."""
    found = getattr(request.protocol, "notes", None)
    return found if isinstance(found, Notes) else Notes(Sender(request.remote or "", "http://localhost", ""))


def sender_of(request: web.BaseRequest) -> Sender:
    """The other end of a request."""
    return notes_of(request).sender


def request_origin(request: web.BaseRequest) -> str:
    """The address of the registry as this client calls it: `https://registry.example.org`."""
    return sender_of(request).origin


def request_address(request: web.BaseRequest) -> str:
    """The address of the client."""
    return sender_of(request).address


class Forwarding:
    """Which headers are believed.

    Args:
        trusted: networks of the proxies.
        url: the address of the registry, when it is configured.
    """

    def __init__(self, trusted: tuple[Network, ...] = (), url: str = "") -> None:
        self._trusted = trusted
        self._url = url
        self._is_trusted = lru_cache(maxsize=1024)(self._look_up)

    def sender(self, peer: str, headers: Mapping[str, str], is_tls: bool, number: str) -> Sender:
        """Find out who is at the other end.

        Args:
            peer: address of whoever made the connection.
            headers: of the request, names in any case.
            number: for the request, when it brings none.
        """
        if not self.trusts(peer):
            direct = "X-Forwarded-For" not in headers and "Forwarded" not in headers
            return Sender(peer, self._url or _origin(is_tls, headers.get("Host", "")), number, direct)
        given = headers.get("X-Request-Id", "")
        scheme = headers.get("X-Forwarded-Proto", "").strip().lower()
        host = headers.get("X-Forwarded-Host") or headers.get("Host", "")
        return Sender(
            self.client(peer, headers.get("X-Forwarded-For", "")),
            self._url or _origin(scheme == "https" if scheme in ("http", "https") else is_tls, host),
            given if _NUMBER.fullmatch(given) else number,
        )

    def client(self, peer: str, forwarded: str) -> str:
        """The address of the client behind a peer: the last one in the list that is none of the proxies.

        Args:
            forwarded: the X-Forwarded-For header; what its head says may be made up by the client.
        """
        if not forwarded or not self.trusts(peer):
            return peer
        address = peer
        for entry in reversed(forwarded.split(",")[-_HOPS:]):
            found = _address(entry)
            if not found:
                break
            address = found
            if not self._is_trusted(found):
                break
        return address

    def trusts(self, peer: str) -> bool:
        """Whether what a peer's headers say of others is believed."""
        return bool(self._trusted) and self._is_trusted(peer)

    def _look_up(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return False
        return any(address.version == network.version and address in network for network in self._trusted)


def tell_who(request: web.BaseRequest, name: str) -> None:
    """Note, for the access log, whose request it turned out to be."""
    notes_of(request).who = name


def tell_kind(request: web.BaseRequest, kind: str) -> None:
    """Note, for the metrics, what a request is about."""
    notes_of(request).kind = kind


@lru_cache(maxsize=256)
def _origin(is_tls: bool, host: str) -> str:
    # A made-up host is not repeated: it would end up in a page or in a challenge.
    return f"{'https' if is_tls else 'http'}://{host if _HOST.fullmatch(host) else 'localhost'}"


def _address(entry: str) -> str:
    """An address out of X-Forwarded-For, with or without a port; "" when it is none."""
    text = entry.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
