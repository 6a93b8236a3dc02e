"""One request in, one answer out: which part of the server it is for, and what becomes of what goes wrong.

Errors of the family were turned into answers by the part itself. What arrives here otherwise is a fault of ours: it is
logged with a number that the client is told, and nothing else leaks.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web
from aiohttp.client_exceptions import ClientError
from aiohttp.http_exceptions import HttpProcessingError

from hardtack.registry.accounts import http as accounts
from hardtack.registry.admin import answering
from hardtack.registry.api import routes
from hardtack.registry.api.answers import reply
from hardtack.registry.metrics import Count
from hardtack.registry.sender import sender_of
from hardtack.registry.server.access_log import shown
from hardtack.registry.server.hosts import from_elsewhere, is_local
from hardtack.registry.server.probes import Probes

if TYPE_CHECKING:
    from hardtack.registry.service import Service
    from hardtack.registry.web.pages import Pages

log = logging.getLogger("hardtack.registry")

_HARMLESS = ("GET", "HEAD", "OPTIONS")


class App:
    """The handler of one worker.

    Args:
        local_only: answer only to addresses and localhost, and to no change that another site's page asks for.
    """

    def __init__(self, service: Service, pages: Pages, probes: Probes, local_only: bool, debug: bool = False) -> None:
        self._service = service
        self._pages = pages
        self._probes = probes
        self._local_only = local_only
        self._debug = debug

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request."""
        try:
            return await self._handle(request)
        except (ConnectionError, ClientError, HttpProcessingError, web.RequestPayloadError):
            # The client went away, and whatever is answered, nobody hears it. To aiohttp that is a cancellation.
            raise asyncio.CancelledError from None
        except Exception as error:
            number = sender_of(request).number
            self._service.metrics.add(Count.FAULTS)
            log.error(
                "fault %s: %s %s: %s: %s",
                number,
                request.method,
                shown(request.raw_path),
                type(error).__name__,
                error,
                exc_info=error if self._debug else None,
            )
            return _fault(number)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        if path in Probes.HARMLESS:  # asked for by whatever name or address a watcher has been given
            return await self._probes.answer(request, path)
        if self._local_only:
            host = request.headers.get("Host", "")
            if not is_local(host):
                return _misdirected(host)
            if request.method not in _HARMLESS and from_elsewhere(
                request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site"), host
            ):
                return _forbidden()
        if path.startswith("/v2/") or path == "/v2":
            return await routes.answer(self._service, request, path, query)
        if path.startswith("/api/"):
            return await answering.answer(self._service, request, path, query)
        if path == Probes.METRICS:
            return await self._probes.answer(request, path)
        if (answer := await accounts.answer(self._service, request, path, query)) is not None:
            return answer
        return await self._pages.answer(request, path, query)


def _error(status: int, code: str, message: str) -> web.Response:
    return reply(status, None, msgspec.json.encode({"errors": [{"code": code, "message": message}]}))


def _misdirected(host: str) -> web.Response:
    return _error(
        421,
        "DENIED",
        f"this registry is open to this machine only and does not answer to the name {host[:100]!r}. "
        "Call it localhost, or start it with --open.",
    )


def _forbidden() -> web.Response:
    return _error(403, "DENIED", "a page of another site asked for this change")


def _fault(number: str) -> web.Response:
    return _error(500, "UNKNOWN", f"the registry failed. Its log says more under {number}.")
