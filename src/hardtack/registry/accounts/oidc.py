"""Login to the pages by OpenID Connect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from aiohttp import web


class Oidc(Protocol):
    """A provider."""

    async def answer(self, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
        """Answer a request below /oidc/."""
        ...
