"""The body of a request that comes over TLS, decrypted in a thread straight into an upload's file.

asyncio decrypts in the event loop and hands bytes on in pieces of 16 KiB, which are copied four times on their way. A
large body goes past that: the loop is told to read nothing, and a thread uses the connection's TLS object meanwhile.
Where asyncio is built otherwise than we know it, this way is not open.

Source: RFC 8446, section 5.1 (records of at most 16 KiB).
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import ssl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_BUFFER = 256 << 10
_MILLISECONDS = 2
_NEEDED = ("_sslobj", "_incoming", "_transport", "_process_outgoing")


class Sealed:
    """A TLS connection whose reading is taken over from the event loop until `give_back`.

    Args:
        tls: asyncio's protocol of it.
    """

    def __init__(self, tls: Any) -> None:
        self._tls = tls

    @classmethod
    def of(cls, transport: Any) -> Sealed | None:
        """The connection of a transport, if it is one and can be taken over."""
        tls = getattr(transport, "_ssl_protocol", None)
        return cls(tls) if tls is not None and all(hasattr(tls, name) for name in _NEEDED) else None

    async def take_over(self) -> None:
        """Have the event loop read nothing; the transport must have been paused."""
        await asyncio.sleep(0)  # what was put off until the next turn may still look for something to decrypt
        self._tls._transport.pause_reading()

    def give_back(self) -> None:
        """Let the event loop read again, for the end of the connection."""
        if not self._tls._transport.is_closing():
            self._tls._process_outgoing()  # what decrypting has led to, such as new keys
            self._tls._transport.resume_reading()

    def into(self, source: int, target: int) -> Unsealer:
        """What moves bytes from the connection to a file.

        Args:
            source: the socket's descriptor.
        """
        return Unsealer(self._tls._sslobj, self._tls._incoming, source, target)


class Unsealer:
    """See `blobs.splicing.Mover`."""

    def __init__(self, tls: ssl.SSLObject, incoming: ssl.MemoryBIO, source: int, target: int) -> None:
        self._read: Callable[[int, memoryview], int] = tls.read  # type: ignore[assignment] # so it is with a buffer
        self._incoming = incoming
        self._target = target
        self._socket = socket.socket(fileno=os.dup(source))
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._plain = memoryview(bytearray(_BUFFER))
        self._other = memoryview(bytearray(_BUFFER))
        self.seen: memoryview | None = self._other[:0]
        self._sealed = memoryview(bytearray(_BUFFER))

    def close(self) -> None:
        self._socket.close()

    def move(self, count: int) -> int | None:
        self._plain, self._other = self._other, self._plain  # the one of last time may be looked at until next time
        filled = self._fill(min(count, _BUFFER))
        self.seen = rest = self._plain[: filled or 0]
        while rest:
            rest = rest[os.write(self._target, rest) :]
        return filled

    def _fill(self, count: int) -> int | None:
        have = 0
        while have < count:
            try:
                size = self._read(count - have, self._plain[have:])
            except ssl.SSLWantReadError:
                came = self._receive()
                if came:
                    continue
                return have if came is not None or have else None
            except ssl.SSLError:
                size = 0
            if not size:
                return have or None
            have += size
        return have

    def _receive(self) -> int | None:
        """Take in what has come, encrypted, or comes in a moment; None at the end."""
        # More is often on its way, and waiting for it is cheaper than going on with little.
        if not self._poll.poll(_MILLISECONDS):
            return 0
        try:
            size = self._socket.recv_into(self._sealed)
        except BlockingIOError:
            return 0
        except ConnectionError:
            return None
        self._incoming.write(self._sealed[:size])
        return size or None
