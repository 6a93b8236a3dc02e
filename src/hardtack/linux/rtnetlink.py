"""Links, addresses and routes of the kernel: each function makes one request for `Netlink.execute`, or reads a dump.

Addresses are texts ("172.20.0.2", "fd00::2"), hardware addresses too ("02:42:ac:14:00:02"). No policy.
Source: rtnetlink(7), linux/if_link.h.
"""

from __future__ import annotations

import _socket
import struct

from hardtack.linux.netlink import (
    CREATE,
    DUMP,
    EXCLUSIVE,
    REPLACE,
    attribute,
    attributes,
    nested,
    text,
    u32,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.linux.netlink import Netlink, Request

AF_INET, AF_INET6 = 2, 10

_NEWLINK, _DELLINK, _GETLINK, _SETLINK = 16, 17, 18, 19
_NEWADDR, _GETADDR = 20, 22
_NEWROUTE, _GETROUTE = 24, 26
_IFF_UP = 1
_ADDRESS, _IFNAME, _MTU, _MASTER, _LINKINFO, _IFALIAS, _AF_SPEC, _NET_NS_FD = 1, 3, 4, 10, 18, 20, 26, 28
_INFO_KIND, _INFO_DATA, _INFO_SLAVE_KIND, _INFO_SLAVE_DATA = 1, 2, 4, 5
_VETH_PEER = 1
_BRIDGE_FORWARD_DELAY, _BRIDGE_STP = 1, 5
_BRIDGE_PORT_MODE = 4
_INET6_ADDR_GEN_MODE = 8
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST, _IFA_FLAGS = 1, 2, 4, 8
_IFA_F_NODAD = 0x02
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_TABLE = 1, 4, 5, 15
_TABLE_MAIN, _PROTOCOL_BOOT, _SCOPE_UNIVERSE, _UNICAST = 254, 3, 0, 1
_INTERFACE = struct.Struct("=BBHiII")
_IFADDR = struct.Struct("=BBBBi")
_RTMSG = struct.Struct("=BBBBBBBBI")


class Link:
    """A network interface as the kernel tells it."""

    __slots__ = ("alias", "index", "kind", "mac", "master", "mtu", "name", "up")

    def __init__(self, body: bytes) -> None:
        _, _, _, self.index, flags, _ = _INTERFACE.unpack_from(body)
        found = attributes(body, _INTERFACE.size)
        self.name = _text(found.get(_IFNAME, b""))
        self.mac = found.get(_ADDRESS, b"").hex(":")
        self.mtu = _number(found.get(_MTU, b""))
        self.master = _number(found.get(_MASTER, b""))
        self.kind = _text(attributes(found.get(_LINKINFO, b"")).get(_INFO_KIND, b""))
        self.alias = _text(found.get(_IFALIAS, b""))
        self.up = bool(flags & _IFF_UP)


class Address:
    """An address on an interface."""

    __slots__ = ("address", "family", "index", "prefix")

    def __init__(self, body: bytes) -> None:
        self.family, self.prefix, _, _, self.index = _IFADDR.unpack_from(body)
        found = attributes(body, _IFADDR.size)
        raw = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS, b"")
        self.address = _socket.inet_ntop(self.family, raw)


class Route:
    """A route; `destination` is "0.0.0.0" or "::" with prefix 0 for the default one, `gateway` may be empty."""

    __slots__ = ("destination", "family", "gateway", "index", "kind", "prefix", "table")

    def __init__(self, body: bytes) -> None:
        self.family, self.prefix, _, _, table, _, _, self.kind, _ = _RTMSG.unpack_from(body)
        found = attributes(body, _RTMSG.size)
        zero = bytes(4 if self.family == AF_INET else 16)
        self.destination = _socket.inet_ntop(self.family, found.get(_RTA_DST, zero))
        self.gateway = _socket.inet_ntop(self.family, found[_RTA_GATEWAY]) if _RTA_GATEWAY in found else ""
        self.index = _number(found.get(_RTA_OIF, b""))
        self.table = _number(found.get(_RTA_TABLE, b"")) or table


def create_bridge(name: str, mac: str) -> Request:
    """A bridge, still down, that will forward at once: no spanning tree, no delay."""
    data = nested(_INFO_DATA, u32(_BRIDGE_FORWARD_DELAY, 0), u32(_BRIDGE_STP, 0))
    body = _interface() + text(_IFNAME, name) + attribute(_ADDRESS, _mac(mac))
    body += nested(_LINKINFO, text(_INFO_KIND, "bridge"), data)
    return (f"create the bridge {name}", _NEWLINK, CREATE | EXCLUSIVE, body)


def create_veth(name: str, master: int, peer: str, peer_mac: str, namespace: int, mtu: int = 0) -> Request:
    """A pair of interfaces, both still down: `name` here, as a port of the bridge with index `master`, and `peer` in
    another namespace.

    Args:
        namespace: descriptor of the peer's network namespace.
        mtu: 0 for the kernel's default.
    """
    size = u32(_MTU, mtu) if mtu else b""
    inner = _interface() + text(_IFNAME, peer) + attribute(_ADDRESS, _mac(peer_mac)) + size
    data = nested(_INFO_DATA, attribute(_VETH_PEER, inner + u32(_NET_NS_FD, namespace)))
    body = _interface() + text(_IFNAME, name) + u32(_MASTER, master) + size
    body += nested(_LINKINFO, text(_INFO_KIND, "veth"), data)
    return (f"create the link {name}", _NEWLINK, CREATE | EXCLUSIVE, body)


def set_up(link: int | str, up: bool = True) -> Request:
    """Bring an interface, named by its index or its name, up or down."""
    body = _interface(link, up=up)
    return (f"set the link {link} {'up' if up else 'down'}", _SETLINK, 0, body)


def set_link(
    index: int,
    name: str = "",
    mac: str = "",
    mtu: int = 0,
    master: int | None = None,
    namespace: int | None = None,
    up: bool | None = None,
    alias: str = "",
) -> Request:
    """Change an interface in one step; what is not given stays. A master of 0 takes it out of its bridge; an alias is
    a text for people, at most 255 bytes.
    """
    body = _interface(index, up=up)
    body += text(_IFNAME, name) if name else b""
    body += attribute(_ADDRESS, _mac(mac)) if mac else b""
    body += u32(_MTU, mtu) if mtu else b""
    body += u32(_MASTER, master) if master is not None else b""
    body += u32(_NET_NS_FD, namespace) if namespace is not None else b""
    body += attribute(_IFALIAS, alias.encode("utf-8", "surrogateescape")) if alias else b""
    return (f"change the link {name or index}", _SETLINK, 0, body)


def without_own_ipv6(link: int | str) -> Request:
    """Keep the kernel from giving an interface a link-local address and announcing it; before it comes up."""
    family = nested(AF_INET6, attribute(_INET6_ADDR_GEN_MODE, b"\x01"))
    return (f"keep the link {link} without own IPv6", _SETLINK, 0, _interface(link) + nested(_AF_SPEC, family))


def set_hairpin(link: int | str) -> Request:
    """Let a bridge send a frame back out of the port where it came in.

    A container that asks for its own published port needs that where the bridge's frames pass the IP hooks
    (net.bridge.bridge-nf-call-iptables): the bridge then turns the frame around itself.
    """
    data = nested(_INFO_SLAVE_DATA, attribute(_BRIDGE_PORT_MODE, b"\x01"))
    body = _interface(link) + nested(_LINKINFO, text(_INFO_SLAVE_KIND, "bridge"), data)
    return (f"set the hairpin mode of {link}", _NEWLINK, 0, body)


def delete_link(name: str) -> Request:
    """Remove an interface, and with one end of a pair the other."""
    return (f"delete the link {name}", _DELLINK, 0, _interface(name))


def add_address(index: int, address: str, prefix: int) -> Request:
    """Give an interface an address; IPv6 ones are usable at once, without looking for duplicates."""
    family = AF_INET6 if ":" in address else AF_INET
    raw = _socket.inet_pton(family, address)
    body = _IFADDR.pack(family, prefix, 0, 0, index) + attribute(_IFA_LOCAL, raw) + attribute(_IFA_ADDRESS, raw)
    if family == AF_INET:
        last = int.from_bytes(raw, "big") | ((1 << (32 - prefix)) - 1)
        body += attribute(_IFA_BROADCAST, last.to_bytes(4, "big"))
    else:
        body += u32(_IFA_FLAGS, _IFA_F_NODAD)
    return (f"add the address {address}/{prefix}", _NEWADDR, CREATE | REPLACE, body)


def add_route(gateway: str, index: int = 0, destination: str = "", prefix: int = 0) -> Request:
    """A route by a gateway, for everything unless a destination is given."""
    family = AF_INET6 if ":" in gateway else AF_INET
    body = _RTMSG.pack(family, prefix, 0, 0, _TABLE_MAIN, _PROTOCOL_BOOT, _SCOPE_UNIVERSE, _UNICAST, 0)
    body += attribute(_RTA_DST, _socket.inet_pton(family, destination)) if destination else b""
    body += attribute(_RTA_GATEWAY, _socket.inet_pton(family, gateway))
    body += u32(_RTA_OIF, index) if index else b""
    return (f"add the route by {gateway}", _NEWROUTE, CREATE | EXCLUSIVE, body)


def links(netlink: Netlink) -> list[Link]:
    """Every interface of the socket's namespace."""
    request = ("list the links", _GETLINK, DUMP, _interface())
    return [Link(body) for body in netlink.dump(request)]


def addresses(netlink: Netlink) -> list[Address]:
    """Every address, IPv4 and IPv6."""
    return [Address(body) for body in netlink.dump(("list the addresses", _GETADDR, DUMP, _IFADDR.pack(0, 0, 0, 0, 0)))]


def routes(netlink: Netlink, family: int = AF_INET) -> list[Route]:
    """Every route of one family in every table; `kind` 1 are those that lead somewhere else than to this host."""
    request = ("list the routes", _GETROUTE, DUMP, _RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0))
    return [Route(body) for body in netlink.dump(request)]


def link_index(name: str) -> int:
    """The index of an interface in the calling thread's namespace, 0 when there is none."""
    try:
        return _socket.if_nametoindex(name)
    except OSError:
        return 0


def _interface(link: int | str = 0, up: bool | None = None) -> bytes:
    """What a link request begins with: which interface, and whether it is to come up or go down."""
    index, name = (0, text(_IFNAME, link)) if isinstance(link, str) else (link, b"")
    return _INTERFACE.pack(0, 0, 0, index, _IFF_UP if up else 0, 0 if up is None else _IFF_UP) + name


def _mac(value: str) -> bytes:
    return bytes.fromhex(value.replace(":", ""))


def _text(raw: bytes) -> str:
    return raw.rstrip(b"\0").decode("utf-8", "surrogateescape")


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little" if struct.pack("=H", 1)[0] else "big")
