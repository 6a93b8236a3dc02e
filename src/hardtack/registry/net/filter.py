"""Which addresses the registry may call on someone else's word: those of the public internet, and what is configured.

A pure rule. Anything that is not plainly a public unicast address is refused: loopback, link-local, private, shared
(CGNAT), multicast, reserved, and forms of IPv6 that lead to such an IPv4 address. It is asked with the address that is
really connected to, never with a name alone, since a name may answer otherwise the next time.

Source: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890); RFC 6052 (NAT64); RFC 4291 (mapped).
"""

from __future__ import annotations

import errno
import ipaddress
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SPECIAL4: tuple[tuple[ipaddress.IPv4Network, str], ...] = tuple(
    (ipaddress.IPv4Network(network), why)
    for network, why in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by carriers"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "for documentation"),
        ("192.88.99.0/24", "reserved"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_SPECIAL6: tuple[tuple[ipaddress.IPv6Network, str], ...] = tuple(
    (ipaddress.IPv6Network(network), why)
    for network, why in (
        ("::1/128", "loopback"),
        ("::/128", "unspecified"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "for documentation"),
        ("2002::/16", "a tunnel"),
        ("3fff::/20", "for documentation"),
    )
)
_UNICAST6 = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*")


class AddressForbidden(OSError):
    """The registry may not call this address.

    Attributes:
        address: as text.
        why: what kind of address it is.
    """

    def __init__(self, address: str, why: str, host: str = "") -> None:
        named = f"{host} has the address {address}" if host and host != address else address
        super().__init__(
            errno.EACCES, f"{named} ({why}) is not to be called: add it to allow under [network], if that is meant"
        )
        self.address = address
        self.why = why


class AddressFilter:
    """The rule, with what is configured.

    Args:
        allow: addresses, networks and names of hosts that may be called whatever they are.
    Raises:
        ValueError: an entry is none of these.
    """

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self._networks: list[Network] = []
        self._hosts: set[str] = set()
        for entry in allow:
            network, host = read_entry(entry)
            if network is not None:
                self._networks.append(network)
            else:
                self._hosts.add(host)

    def check(self, address: str, host: str = "") -> None:
        """Refuse an address that may not be called.

        Args:
            address: the one that is connected to.
            host: the name that led to it, as it was asked for.
        Raises:
            AddressForbidden: it may not, or is no address.
        """
        if host and _folded(host) in self._hosts:
            return
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            raise AddressForbidden(address[:100], "no address", host) from None
        meant = _meant(parsed)
        if any(candidate in network for network in self._networks for candidate in (parsed, meant)):
            return
        why = _special(meant)
        if why:
            raise AddressForbidden(address, why, host)

    def allows(self, address: str, host: str = "") -> bool:
        """Whether an address may be called; see `check`."""
        try:
            self.check(address, host)
        except AddressForbidden:
            return False
        return True


def read_entry(entry: str) -> tuple[Network | None, str]:
    """Read what may be called: an address or a network, or else the name of a host.

    Raises:
        ValueError: it is neither.
    """
    text = entry.strip()
    try:
        return ipaddress.ip_network(text), ""
    except ValueError:
        pass
    host = _folded(text)
    # What ends in a number is an address that somebody mistyped: no host is called that.
    if _HOST.fullmatch(host) is None or host.rpartition(".")[2].isdigit():
        raise ValueError(
            f"{text[:60]!r} is no host and no network such as 10.0.0.0/8 (with no bits set after its prefix)"
        )
    return None, host


def _folded(host: str) -> str:
    return host.lower().removesuffix(".")


def _meant(address: Address) -> Address:
    """The address that is reached in the end: the IPv4 one within an IPv6 one that only wraps it."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _special(address: Address) -> str:
    """What kind of address it is when it is none of the public internet; "" when it is."""
    if isinstance(address, ipaddress.IPv4Address):
        return next((why for network, why in _SPECIAL4 if address in network), "")
    why = next((why for network, why in _SPECIAL6 if address in network), "")
    return why or ("" if address in _UNICAST6 else "reserved")
