"""Host ports held by sockets: whether a port may be had, and that no other program of the host takes it meanwhile.

The sockets never answer: packets are translated before they could reach them, and where they are not, a client is
refused at once instead of waiting. They end with the process that holds them.
"""

from __future__ import annotations

import _socket
import errno

from hardtack.network.errors import AddressUnusable, PortAllocated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket


def hold(protocol: str, address: str, port: int) -> socket | None:
    """Take a port of the host.

    Returns:
        A close-on-exec socket that keeps the port until it is closed; None for a protocol that has no such socket here.
    Raises:
        PortAllocated: another program has it.
        AddressUnusable: the host has no such address, or this process may not use the port.
    """
    if protocol == "sctp":
        return None
    kind = _socket.SOCK_STREAM if protocol == "tcp" else _socket.SOCK_DGRAM
    held = _socket.socket(_socket.AF_INET, kind)
    try:
        _bind(held, protocol == "tcp", address, port)
    except OSError as error:
        held.close()
        if error.errno == errno.EADDRINUSE:
            raise PortAllocated(address, port, protocol) from None
        if error.errno == errno.EADDRNOTAVAIL:
            hint = "Give an address of this host, or none for all of them"
            raise AddressUnusable(address, "this host has no such address", hint) from None
        if error.errno in (errno.EACCES, errno.EPERM):
            hint = "Run as root, or choose a port from 1024 on"
            raise AddressUnusable(f"{address}:{port}", "this user may not use the port", hint) from None
        raise
    return held


def _bind(held: socket, stream: bool, address: str, port: int) -> None:
    """Listening decides whether a stream port is free even of servers that share addresses; leaving that state keeps
    the port and refuses clients. Reuse is allowed for that moment only: it passes over connections that linger in
    TIME_WAIT, and forbidding it afterwards makes everybody else's bind fail.
    """
    if not stream:
        held.bind((address, port))
        return
    held.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    held.bind((address, port))
    held.listen(1)
    held.shutdown(_socket.SHUT_RDWR)
    held.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 0)
