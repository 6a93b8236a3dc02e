"""`/healthz`, `/readyz`, `/metrics`: for those who watch the registry, not for those who use it.

Whether it lives and whether it is ready everybody may know. Why it is not, and the figures, are for this machine, for
whoever has the token of the configuration, and for admins. With a token, being on this machine is not enough: behind a
proxy that says nothing of its clients, everybody seems to be.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from typing import TYPE_CHECKING

import msgspec

from hardtack.registry.accounts.changes import is_admin
from hardtack.registry.api.answers import reply
from hardtack.registry.errors import RegistryError
from hardtack.registry.sender import request_address, sender_of
from hardtack.registry.server.exposition import Exposition
from hardtack.registry.server.hosts import is_local

if TYPE_CHECKING:
    from aiohttp import web

    from hardtack.registry.metadata.script import Script
    from hardtack.registry.service import Service

_NOT_FOR_ALL = "these figures are not for everybody. Send [server] metrics_token as a Bearer token, or call as an admin"
_PATIENCE = 5.0
_FRESH = 1.0


class Probes:
    """The answers of one worker.

    Attributes:
        draining: the end has been asked for; whoever balances loads should send nobody here.
    """

    HARMLESS = ("/healthz", "/readyz")
    METRICS = "/metrics"

    def __init__(self, service: Service) -> None:
        self._service = service
        self._exposition = Exposition(service)
        self._token = service.config.server.metrics_token
        self._problems: list[str] = []
        self._checked = 0.0
        self._lock = asyncio.Lock()
        self.draining = False

    async def answer(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        """Answer a probe."""
        if request.method not in ("GET", "HEAD"):
            return reply(405, {"Allow": "GET, HEAD"})
        if path == "/healthz":
            return _json(200, {"status": "ok"})
        if path == "/readyz":
            return await self._ready(request)
        if not await self._trusted(request):
            return _json(403, {"errors": [{"code": "DENIED", "message": _NOT_FOR_ALL}]})
        body, content_type = await self._exposition.text(request.headers.get("Accept", ""))
        return reply(200, {"Cache-Control": "no-store"}, body, content_type)

    async def _ready(self, request: web.BaseRequest) -> web.StreamResponse:
        async with self._lock:  # many who ask at once cost one look
            if time.monotonic() - self._checked > _FRESH:
                self._problems = await self._look()
                self._checked = time.monotonic()
        problems = ["draining: the registry is about to stop"] if self.draining else []
        problems += self._problems
        said: dict[str, object] = {"status": "not ready" if problems else "ready"}
        if problems and await self._trusted(request):
            said["problems"] = problems
        return _json(503 if problems else 200, said)

    async def _look(self) -> list[str]:
        problems = []
        for name, question in (
            ("database", self._service.database.read(_nothing)),
            ("blobs", self._service.blobs.check()),
        ):
            try:
                async with asyncio.timeout(_PATIENCE):
                    await question
            except TimeoutError:
                problems.append(f"{name}: no answer within {_PATIENCE:.0f} seconds")
            except (RegistryError, OSError) as error:
                problems.append(f"{name}: {error}")
        return problems

    async def _trusted(self, request: web.BaseRequest) -> bool:
        """Whether whoever asks may see more than everybody."""
        authorization = request.headers.get("Authorization", "")
        if self._token:
            scheme, _, given = authorization.partition(" ")
            if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self._token.encode()):
                return True
        elif sender_of(request).is_loopback and is_local(request.headers.get("Host", "")):
            return True
        if not authorization:
            return is_admin(self._service.gate.anonymous())
        try:
            return is_admin(await self._service.gate.identify(authorization, request_address(request)))
        except RegistryError:
            return False


def _nothing() -> Script[None]:
    yield "SELECT 1", ()


def _json(status: int, value: object) -> web.Response:
    return reply(status, {"Cache-Control": "no-store"}, msgspec.json.encode(value))
