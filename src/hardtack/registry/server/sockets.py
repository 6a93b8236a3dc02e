"""The sockets that the parent holds for its workers: one per worker and address, all on the same port.

So the kernel spreads connections over the workers, and what waits in the queue of one that died is served by its
successor.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from hardtack.registry.errors import CannotServe

if TYPE_CHECKING:
    from hardtack.registry.server.settings import Address, Settings

_BACKLOG = 1024


def bind(settings: Settings) -> list[list[socket.socket]]:
    """Sockets per worker, one per address. A port that was left open is chosen once and used for all.

    Raises:
        CannotServe: an address is in use, or not ours.
    """
    chosen = 0
    slots: list[list[socket.socket]] = []
    for number in range(settings.workers):
        slot = []
        for address in settings.addresses:
            port = address.port or chosen
            if number == 0:
                expect_free(address, port)
            sock = _listen(address, port)
            chosen = chosen or sock.getsockname()[1]
            slot.append(sock)
        slots.append(slot)
    return slots


def expect_free(address: Address, port: int) -> None:
    """Find out whether somebody else listens there. Raises CannotServe."""
    # Sharing a port is for our own workers; bound without that option, another server on it shows itself.
    if not port:
        return
    with socket.socket(address.family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bound(probe, address, port)


def _listen(address: Address, port: int) -> socket.socket:
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    _bound(sock, address, port)
    sock.listen(_BACKLOG)
    sock.setblocking(False)
    return sock


def _bound(sock: socket.socket, address: Address, port: int) -> None:
    if address.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        sock.bind((address.host, port))
    except OSError as error:
        sock.close()
        hint = "Choose another port with --listen, or stop what uses it" if error.errno == errno.EADDRINUSE else ""
        why = (error.strerror or str(error)).lower()
        raise CannotServe(f"cannot listen on {address.host} port {port}: {why}", hint) from error
