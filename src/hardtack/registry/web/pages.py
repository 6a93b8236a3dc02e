"""The pages' router."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from hardtack.registry.service import Service


class Pages:
    """Answers everything outside /v2/."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def answer(self, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
        """Answer a request for a page."""
        del request, path, query
        return web.Response(text="hardtack registry\n")
