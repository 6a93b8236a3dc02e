"""The packet filter's fast requests, spoken to the kernel directly: elements of maps, and whether a chain is there.

libnftables writes whole rulesets (`nftables`), but loading it costs a start two milliseconds and a monitor a megabyte
for what one datagram does. A socket is kept for the next request: closing one waits for the kernel to bury what anybody
has just removed from the packet filter, up to 16 ms. Keys and values are the bytes that the kernel compares, each field
padded to four bytes. Source: linux/netfilter/nf_tables.h, nfnetlink.h; nf_tables_api.c, nft_rcv_nl_event.
"""

from __future__ import annotations

import errno
import os
import struct

from hardtack.linux.netlink import (
    ACK,
    CREATE,
    DUMP,
    NETFILTER,
    Netlink,
    NetlinkError,
    attribute,
    attributes,
    nested,
    text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.linux.netlink import Request

    Element = tuple[str, bytes, bytes]
    """Name of a map, key, value; for a set the value is empty."""

_NFTABLES, _CONNTRACK = 10 << 8, 1 << 8
_BATCH_BEGIN, _BATCH_END = 16, 17
_GET_CHAIN, _NEW_ELEMENT, _DELETE_ELEMENT, _DESTROY_ELEMENT = 4, 12, 14, 30
_FAMILY_INET = 1
_CHAIN_TABLE, _CHAIN_NAME = 1, 3
_LIST_TABLE, _LIST_SET, _LIST_ELEMENTS = 1, 2, 3
_ELEMENT_KEY, _ELEMENT_DATA, _VALUE, _ITEM = 1, 2, 1, 1
_FLOW_GET, _FLOW_DELETE = 1, 2
_FLOW_ORIGINAL, _FLOW_REPLY, _FLOW_ID = 1, 2, 12
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_IP_SOURCE, _IP_DESTINATION = 1, 2
_PROTO_NUMBER, _PROTO_SOURCE_PORT, _PROTO_DESTINATION_PORT = 1, 2, 3


_idle: list[tuple[tuple[int, int, int], Netlink]] = []
"""At most one socket, with the process and the network namespace that it belongs to."""


class _Connection:
    """A socket of this process in the thread's network namespace, put back after use unless something failed."""

    __slots__ = ("_netlink", "_place")

    def __enter__(self) -> Netlink:
        namespace = os.stat("/proc/thread-self/ns/net")
        self._place = (os.getpid(), namespace.st_dev, namespace.st_ino)
        try:
            place, netlink = _idle.pop()
        except IndexError:
            place, netlink = (0, 0, 0), None
        if place != self._place:
            if netlink is not None:
                if place[0] == self._place[0]:
                    netlink.close()
                else:  # the parent's: what it had open may be closed here, and its number another file's by now
                    netlink.forget()
            netlink = Netlink(NETFILTER)
        assert netlink is not None
        self._netlink = netlink
        return netlink

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if (error is None or isinstance(error, NetlinkError)) and not _idle:
            _idle.append((self._place, self._netlink))
        else:
            self._netlink.close()


def has_chain(table: str, chain: str) -> bool:
    """Whether an `inet` table with this chain exists.

    Raises:
        NetlinkError: this process may not ask.
    """
    body = _general(_FAMILY_INET) + text(_CHAIN_TABLE, table) + text(_CHAIN_NAME, chain)
    with _Connection() as netlink:
        try:
            netlink.execute((f"find the chain {chain}", _NFTABLES | _GET_CHAIN, 0, body))
        except NetlinkError as error:
            if error.errno == errno.ENOENT:
                return False
            raise
    return True


def add_elements(table: str, elements: list[Element]) -> None:
    """Add elements to maps of an `inet` table, all or none. One that is there already with the same value is fine.

    Raises:
        NetlinkError: ENOENT when the table or the map is missing, EEXIST when a key has another value.
    """
    with _Connection() as netlink:
        _batch(netlink, [_element(_NEW_ELEMENT, CREATE, table, element) for element in elements])


def remove_elements(table: str, elements: list[Element]) -> None:
    """Remove elements by their keys; what is missing, be it the table, is no error."""
    with _Connection() as netlink:
        for element in elements:
            name, key, _ = element
            for kind in (_DESTROY_ELEMENT, _DELETE_ELEMENT):  # "destroy" came with Linux 6.3
                try:
                    _batch(netlink, [_element(kind, 0, table, (name, key, b""))])
                except NetlinkError as error:
                    if error.errno == errno.ENOENT:
                        break
                    if kind == _DELETE_ELEMENT or error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                        raise
                else:
                    break


def forget_flows(protocol: int, port: int = 0, address: bytes = b"") -> int:
    """Make the kernel forget IPv4 flows, so that the next packet is looked at afresh.

    Without it a client that keeps its port goes on to reach what used to answer there, or nothing.

    Args:
        protocol: 17 for UDP …
        port: flows that were sent to this port; 0 for any.
        address: flows that this address answers; empty for any.
    Returns:
        How many were forgotten.
    Source: conntrack-tools' use of ctnetlink; linux/netfilter/nfnetlink_conntrack.h.
    """
    forgotten = 0
    with _Connection() as netlink:
        try:
            bodies = netlink.dump(("list the flows", _CONNTRACK | _FLOW_GET, DUMP, _general(2)))
        except NetlinkError:  # no connection tracking, no flows
            return 0
        for body in bodies:
            found = attributes(body, 4)
            if not _flow_matches(found, protocol, port, address):
                continue
            kept = nested(_FLOW_ORIGINAL, found[_FLOW_ORIGINAL]) + attribute(_FLOW_ID, found.get(_FLOW_ID, b""))
            try:
                netlink.execute(("forget a flow", _CONNTRACK | _FLOW_DELETE, 0, _general(2) + kept))
                forgotten += 1
            except NetlinkError:  # it ended meanwhile
                pass
    return forgotten


def _flow_matches(found: dict[int, bytes], protocol: int, port: int, address: bytes) -> bool:
    original = attributes(found.get(_FLOW_ORIGINAL, b""))
    numbers = attributes(original.get(_TUPLE_PROTO, b""))
    if numbers.get(_PROTO_NUMBER) != bytes((protocol,)):
        return False
    if port and numbers.get(_PROTO_DESTINATION_PORT) != port.to_bytes(2, "big"):
        return False
    if address:
        reply = attributes(attributes(found.get(_FLOW_REPLY, b"")).get(_TUPLE_IP, b""))
        return reply.get(_IP_SOURCE) == address
    return True


def _element(kind: int, flags: int, table: str, element: Element) -> Request:
    name, key, value = element
    parts = nested(_ELEMENT_KEY, attribute(_VALUE, key))
    if value:
        parts += nested(_ELEMENT_DATA, attribute(_VALUE, value))
    body = _general(_FAMILY_INET) + text(_LIST_TABLE, table) + text(_LIST_SET, name)
    body += nested(_LIST_ELEMENTS, nested(_ITEM, parts))
    return (f"change the map {name} of table {table}", _NFTABLES | kind, flags, body)


def _batch(netlink: Netlink, requests: list[Request]) -> None:
    """One transaction of the packet filter: everything between begin and end happens, or nothing does."""
    frame = struct.pack("=BBH", 0, 0, 10 if struct.pack("=H", 1)[0] == 0 else 10 << 8)  # the subsystem, big-endian
    data = [_message(_BATCH_BEGIN, 0, 0, frame)]
    data += [_message(kind, flags | ACK, number, body) for number, (_, kind, flags, body) in enumerate(requests)]
    data.append(_message(_BATCH_END, 0, len(requests), frame))
    while netlink.receive_now():
        pass  # what an earlier request that failed has left
    netlink.send(b"".join(data))
    failure = 0
    tried = requests[0][0] if requests else ""
    # The kernel has done it all when `send` returns, and its answers wait in the socket.
    while answers := netlink.receive_now():
        for kind, _, sequence, body in answers:
            number = -struct.unpack_from("=i", body)[0] if kind == 2 else 0
            if number > 0 and not failure:
                failure = number
                tried = requests[sequence][0] if sequence < len(requests) else tried
    if failure:
        raise NetlinkError(failure, tried)


def _message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags | 1, sequence, 0) + body + bytes(-len(body) % 4)


def _general(family: int) -> bytes:
    return struct.pack("=BBH", family, 0, 0)
