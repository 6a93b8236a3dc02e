"""What is noted of every request, whichever way it was answered: its figures, and its line in the access log."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from typing import TYPE_CHECKING

from hardtack.registry.api.path import split
from hardtack.registry.metrics import Count
from hardtack.registry.sender import notes_of
from hardtack.registry.server.access_log import line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from hardtack.registry.metrics import Metrics
    from hardtack.registry.sender import Forwarding, Sender
    from hardtack.registry.server.access_log import AccessLog

_GONE = 499
_PROBES = ("/healthz", "/readyz", "/metrics")
_NUMBER = re.compile(rb"\r\nx-request-id:[ \t]*([A-Za-z0-9._-]{1,64})[ \t]*\r\n", re.IGNORECASE)


class Journal:
    """Notes of one worker.

    Args:
        log: where lines go, or None.
    """

    def __init__(self, metrics: Metrics, forwarding: Forwarding, log: AccessLog | None = None) -> None:
        self.metrics = metrics
        self._forwarding = forwarding
        self._log = log
        self._prefix = secrets.token_hex(5)
        self._numbers = itertools.count(1)

    def number(self) -> str:
        """A number for a request that no other has."""
        return f"{self._prefix}-{next(self._numbers):x}"

    def sender(self, request: web.BaseRequest, is_tls: bool) -> Sender:
        """Who is at the other end of a request."""
        return self._forwarding.sender(request.remote or "", request.headers, is_tls, self.number())

    def quick_number(self, data: bytes, peer: str) -> str:
        """The number of a request whose head is at hand."""
        if self._forwarding.trusts(peer) and (found := _NUMBER.search(data)) is not None:
            return found[1].decode()
        return self.number()

    def quick(self, data: bytes, peer: str, who: str, number: str, sent: int, seconds: float) -> None:
        """Note a request that the quick lane answered.

        Args:
            data: its head.
            peer: address of whoever made the connection.
            who: the name of the caller.
            sent: bytes of the answer.
        """
        method = "HEAD" if data.startswith(b"H") else "GET"
        self.metrics.request(method, "manifest", 200, seconds, 0, sent)
        if self._log is None:
            return
        start, _, rest = data.partition(b"\r\n")
        headers = _fields(rest)
        address = self._forwarding.client(peer, headers.get(b"x-forwarded-for", b"").decode("latin-1"))
        target = start.split(b" ")[1].decode("utf-8", "replace")
        agent = headers.get(b"user-agent", b"").decode("utf-8", "replace")
        self._log.write(line(time.time(), address, who, (method, target), 200, (0, sent), seconds, agent, number))

    def answered(self, request: web.BaseRequest, status: int, sent: int, seconds: float) -> None:
        """Note a request that was answered the ordinary way."""
        notes = notes_of(request)
        received = max(request.content.total_bytes, notes.spliced)
        kind = notes.kind or kind_of(request.raw_path.partition("?")[0])
        if status == 401 and "Authorization" in request.headers:
            self.metrics.add(Count.LOGINS_FAILED)
        self.metrics.request(request.method, kind, status, seconds, received, sent)
        if self._log is None:
            return
        sender, agent = notes.sender, request.headers.get("User-Agent", "")
        what, traffic = (request.method, request.raw_path), (received, sent)
        self._log.write(
            line(time.time(), sender.address, notes.who, what, status, traffic, seconds, agent, sender.number)
        )

    def gone(self, request: web.BaseRequest, seconds: float) -> None:
        """Note a request whose client went away before it was answered."""
        self.answered(request, _GONE, 0, seconds)


def kind_of(path: str) -> str:
    """What a request is about, one of `metrics.KINDS`."""
    if path.startswith("/v2"):
        target = split(path)
        return "none" if target is None else target.kind.value
    if path in _PROBES:
        return "probe"
    if path in ("/token", "/auth"):
        return "token"
    return "api" if path.startswith("/api/") else "page"


def _fields(block: bytes) -> Mapping[bytes, bytes]:
    found = {}
    for field in block.split(b"\r\n"):
        name, _, value = field.partition(b":")
        found[name.lower()] = value.strip()
    return found
