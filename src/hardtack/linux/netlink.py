"""Netlink sockets: requests go out in one datagram, the kernel's answers come back as values or as an error.

An error carries the errno, what was tried and the kernel's own words. What the messages mean is said by the modules
beside this one: `rtnetlink` for links, addresses and routes, `nfnetlink` for the packet filter.
"""

from __future__ import annotations

import _socket
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    Request = tuple[str, int, int, bytes]
    """What is tried in words, message type, flags, body."""

ROUTE = 0
NETFILTER = 12

REQUEST, ACK, REPLACE, EXCLUSIVE, CREATE, DUMP = 0x1, 0x4, 0x100, 0x200, 0x400, 0x300

_AF_NETLINK = 16
_SOL_NETLINK, _CAP_ACK, _EXT_ACK = 270, 10, 11
_ERROR, _DONE = 2, 3
_ACK_TEXTS = 0x200
_INTERRUPTED = 0x10
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_TYPE_MASK = 0x3FFF  # the two high bits say "nested" and "network byte order"
_BUFFER = 1 << 16
_DONTWAIT = 0x40


class NetlinkError(OSError):
    """The kernel refused a request.

    Attributes:
        tried: what was to be done, in words.
    """

    def __init__(self, number: int, tried: str, detail: str = "") -> None:
        why = os.strerror(number).lower()
        super().__init__(number, f"cannot {tried}: {why} ({detail})" if detail else f"cannot {tried}: {why}")
        self.tried = tried

    def __str__(self) -> str:
        return str(self.strerror)


class Netlink:
    """One socket, which belongs for ever to the network namespace in which it was made."""

    __slots__ = ("_sequence", "_socket")

    def __init__(self, protocol: int = ROUTE) -> None:
        self._socket = _socket.socket(_AF_NETLINK, _socket.SOCK_RAW, protocol)  # close-on-exec: CPython's default
        self._sequence = 0
        for option in (_CAP_ACK, _EXT_ACK):
            try:
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
            except OSError:  # an emulated kernel: errors without words then
                pass

    def execute(self, *requests: Request) -> None:
        """Send all requests at once and wait until the kernel has done them, in order.

        Raises:
            NetlinkError: the first that failed. The kernel tries those after it all the same.
        """
        first = self._sequence + 1
        self._socket.send(b"".join(self._pack(request, ACK) for request in requests))
        failure: NetlinkError | None = None
        pending = len(requests)
        while pending:
            for kind, flags, sequence, body in _messages(self._socket.recv(_BUFFER)):
                if kind != _ERROR or sequence < first:
                    continue
                pending -= 1
                number = -struct.unpack_from("=i", body)[0]
                if number and failure is None:
                    failure = NetlinkError(number, requests[sequence - first][0], _words(flags, body))
        if failure is not None:
            raise failure

    def dump(self, request: Request) -> list[bytes]:
        """The bodies of all messages that answer; asked again when the kernel's list changed while it was read.

        Raises:
            NetlinkError: the kernel refused.
        """
        while True:
            bodies, complete = self._dump(request)
            if complete:
                return bodies

    def _dump(self, request: Request) -> tuple[list[bytes], bool]:
        self._socket.send(self._pack(request, 0))
        bodies: list[bytes] = []
        complete = True
        while True:
            for kind, flags, sequence, body in _messages(self._socket.recv(_BUFFER)):
                if sequence != self._sequence:
                    continue
                complete = complete and not flags & _INTERRUPTED
                if kind in (_ERROR, _DONE):
                    number = -struct.unpack_from("=i", body)[0] if len(body) >= 4 else 0
                    if number > 0:
                        raise NetlinkError(number, request[0], _words(flags, body))
                    return bodies, complete
                bodies.append(body)

    def _pack(self, request: Request, extra: int) -> bytes:
        self._sequence += 1
        _, kind, flags, body = request
        length = 16 + len(body)
        return _HEADER.pack(length, kind, flags | REQUEST | extra, self._sequence, 0) + body + bytes(-length % 4)

    def send(self, data: bytes) -> None:
        """Send bytes as they are: for protocols that frame their requests otherwise."""
        self._socket.send(data)

    def receive_now(self) -> list[tuple[int, int, int, bytes]]:
        """The next datagram that waits, as (type, flags, sequence, body) of its messages; empty when none waits."""
        try:
            return _messages(self._socket.recv(_BUFFER, _DONTWAIT))
        except BlockingIOError:
            return []

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def forget(self) -> None:
        """Let go of the socket without closing its descriptor: in a forked child the number may be another file's."""
        self._socket.detach()

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    length = 4 + len(payload)
    return _ATTRIBUTE.pack(length, kind) + payload + bytes(-length % 4)


def text(kind: int, value: str) -> bytes:
    """A text attribute, with the NUL at its end."""
    return attribute(kind, value.encode() + b"\0")


def u32(kind: int, value: int) -> bytes:
    """A number in the machine's byte order."""
    return attribute(kind, struct.pack("=I", value))


def nested(kind: int, *parts: bytes) -> bytes:
    """An attribute made of attributes."""
    return attribute(kind | 0x8000, b"".join(parts))


def attributes(data: bytes, start: int = 0) -> dict[int, bytes]:
    """The attributes that lie in `data` from `start` on, by type; of one that occurs twice the last."""
    found = {}
    end = len(data)
    while start + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, start)
        if length < 4 or start + length > end:
            break
        found[kind & _TYPE_MASK] = data[start + 4 : start + length]
        start += (length + 3) & ~3
    return found


def _messages(data: bytes) -> list[tuple[int, int, int, bytes]]:
    found = []
    start = 0
    while start + 16 <= len(data):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, start)
        if length < 16:
            break
        found.append((kind, flags, sequence, data[start + 16 : start + length]))
        start += (length + 3) & ~3
    return found


def _words(flags: int, body: bytes) -> str:
    """The kernel's own explanation behind an error. Source: netlink(7), NETLINK_EXT_ACK; NLMSGERR_ATTR_MSG is 1."""
    if not flags & _ACK_TEXTS:
        return ""
    return attributes(body, 20).get(1, b"").rstrip(b"\0").decode("utf-8", "replace")
