"""The only way into the JSON API: who calls, what is meant, what is answered.

Callers come with the credentials that docker's clients use: a password or token by Basic, a token by Bearer. Cookies
count for nothing here, and a password that a browser remembers serves no other site's page. Each handler begins by
saying what right it needs; a test calls every endpoint as nobody and expects to be refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hardtack.registry.access import Action, refusal
from hardtack.registry.accounts.http import is_from_here
from hardtack.registry.admin import openapi
from hardtack.registry.admin.ask import Ask, read_query
from hardtack.registry.admin.endpoints import TABLE
from hardtack.registry.admin.shapes import plain
from hardtack.registry.admin.table import PREFIX, Endpoint
from hardtack.registry.api import bodies
from hardtack.registry.api.answers import failed, reply
from hardtack.registry.errors import (
    BadRequest,
    Denied,
    NoSuchAddress,
    ReadOnly,
    RegistryError,
    TooLarge,
    Unauthorized,
    Unsupported,
)
from hardtack.registry.sender import request_address

if TYPE_CHECKING:
    from aiohttp import web

    from hardtack.registry.service import Service

_BODY_LIMIT = 1 << 20
_HEADERS = {"Cache-Control": "no-store"}


async def answer(service: Service, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
    """Answer a request below /api/.

    Args:
        path: as sent, still percent-encoded.
    """
    try:
        return await _answer(service, request, path, query)
    except Unauthorized as error:
        return failed(error, {**_HEADERS, "WWW-Authenticate": 'Basic realm="registry", charset="UTF-8"'})
    except RegistryError as error:
        return failed(error, _HEADERS)


async def _answer(service: Service, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
    authorization = request.headers.get("Authorization")
    gate, address = service.gate, request_address(request)
    caller = gate.anonymous() if authorization is None else await gate.identify(authorization, address)
    if caller.must_change:
        raise refusal(caller, Action.ENTER, "")
    if path == f"{PREFIX}/openapi.json" and request.method in ("GET", "HEAD"):
        return reply(200, _HEADERS, openapi.document())
    found = TABLE.find(path[len(PREFIX) :]) if path.startswith(f"{PREFIX}/") else None
    if found is None:
        raise NoSuchAddress
    methods, parameters = found
    endpoint = methods.get("GET" if request.method == "HEAD" else request.method)
    if endpoint is None:
        raise Unsupported(methods)
    if endpoint.method != "GET":
        # A browser that was asked for a password here sends it along with forms of other sites' pages as well.
        if not is_from_here(request):
            raise Denied("send changes from other sites to", "the registry")
        if service.read_only:
            raise ReadOnly
    body = await _body(request, endpoint) if endpoint.takes is not None else None
    given = await endpoint.handler(Ask(service, caller, address, parameters, read_query(query), body))
    if endpoint.gives is None:
        return reply(204, _HEADERS)
    return reply(endpoint.status, _HEADERS, msgspec.json.encode(plain(given), enc_hook=str))


async def _body(request: web.BaseRequest, endpoint: Endpoint) -> Any:
    parts: list[bytes] = []
    size = 0
    async for chunk in bodies.chunks(request):
        size += len(chunk)
        if size > _BODY_LIMIT:
            raise TooLarge(_BODY_LIMIT)
        parts.append(chunk)
    try:
        return msgspec.json.decode(b"".join(parts) or b"{}", type=endpoint.takes)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body is not what is expected: {str(error)[:300]}") from None
