"""A network namespace that stands for a host, another one beside it, and connections between whatever there is.

Sockets stay in the namespace where they were made, so one thread plays every part: it enters, connects, comes back.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hardtack.linux import rtnetlink
from hardtack.linux.netlink import Netlink
from hardtack.linux.netns import Inside, current

UPLINK, UPLINK_MAC, OUTSIDE = "192.0.2.1", "02:00:00:00:02:01", "192.0.2.9"
"""Addresses of the host and of the other host on the network between them."""


class Host:
    """A host in a namespace of its own, in which the calling thread is, connected with another one.

    Attributes:
        here: descriptor of its namespace.
        outside: descriptor of the other host's.
    """

    def __init__(self, here: int, outside: int) -> None:
        self.here = here
        self.outside = outside

    def filter_bridged(self, enabled: bool) -> bool:
        """Whether frames inside a bridge pass the IP hooks, as docker and Kubernetes set it. False: not to be had."""
        switch = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
        if not switch.exists():
            return not enabled
        switch.write_text("1" if enabled else "0")
        return True


@contextmanager
def a_host() -> Iterator[Host]:
    """Move the calling thread into a new host for a while. Costs 5 ms."""
    with Inside() as visit, Inside() as far:
        pass
    try:
        with Inside(visit.descriptor):
            with Netlink() as netlink:
                netlink.execute(rtnetlink.set_up(1))
                _connect(netlink, far.descriptor)
            yield Host(visit.descriptor, far.descriptor)
    finally:
        os.close(visit.descriptor)
        os.close(far.descriptor)


def _connect(netlink: Netlink, far: int) -> None:
    # The bridge is only there because a pair is made as a port of one.
    netlink.execute(rtnetlink.create_bridge("up0", UPLINK_MAC))
    index = rtnetlink.link_index("up0")
    netlink.execute(rtnetlink.create_veth("up1", index, "eth0", "02:00:00:00:02:09", far))
    netlink.execute(rtnetlink.set_up("up1"), rtnetlink.set_up(index), rtnetlink.add_address(index, UPLINK, 24))
    with Inside(far):
        inside = Netlink()
        eth0 = rtnetlink.link_index("eth0")
    with inside:
        inside.execute(rtnetlink.set_up(1), rtnetlink.set_up(eth0), rtnetlink.add_address(eth0, OUTSIDE, 24))


def listen(namespace: int, address: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    """A server's socket in a namespace; connections complete without anybody accepting them."""
    with Inside(namespace):
        server = socket.socket(socket.AF_INET, kind)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    if kind == socket.SOCK_STREAM:
        server.listen(8)
    server.settimeout(2)
    return server


def reach(namespace: int, address: str, port: int, server: socket.socket, seconds: float = 2.0) -> str:
    """Connect from a namespace and exchange a word. Returns the address that the server sees as the client's.

    Raises:
        OSError: refused, unreachable, or nothing came within the time.
    """
    with Inside(namespace):
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with client:
        client.settimeout(seconds)
        client.connect((address, port))
        connection, peer = server.accept()
        with connection:
            connection.sendall(b"cookie")
            assert client.recv(6) == b"cookie"
    return str(peer[0])


def cannot_reach(namespace: int, address: str, port: int, seconds: float = 0.4) -> bool:
    """Whether a connection is refused or goes nowhere."""
    with Inside(namespace):
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with client:
        client.settimeout(seconds)
        try:
            client.connect((address, port))
        except OSError:
            return True
    return False


def my_namespace() -> tuple[int, int]:
    """What tells the calling thread's network namespace from others."""
    descriptor = current()
    try:
        status = os.fstat(descriptor)
        return status.st_dev, status.st_ino
    finally:
        os.close(descriptor)


def send_datagram(namespace: int, to_mac: str, source: str, target: str, port: int, payload: bytes) -> None:
    """Put a UDP datagram on the wire of `eth0` as a packet socket can: no routing table has a say in it."""
    with Inside(namespace):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        wire.bind(("eth0", 0x0800))
    with wire:
        length = 8 + len(payload)
        header = struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0, 20 + length, 0, 0, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(target)
        )
        total = sum(struct.unpack("!10H", header))
        checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
        packet = header[:10] + struct.pack("!H", checksum) + header[12:]
        packet += struct.pack("!HHHH", 40000, port, length, 0) + payload  # checksum 0: none, allowed in IPv4
        own = wire.getsockname()[4]
        wire.send(bytes.fromhex(to_mac.replace(":", "")) + own + b"\x08\x00" + packet)
