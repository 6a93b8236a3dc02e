"""The session's cookie: how it is read from a request, given with an answer, and taken away.

HttpOnly, SameSite=Lax, for the whole host; under https Secure and with the prefix `__Host-`, so that neither a page in
clear nor a neighbouring host can set one.

Source: RFC 6265bis, sections 4.1.3 and 5.7.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING

from hardtack.registry.accounts.sessions import LIFE
from hardtack.registry.sender import request_origin

if TYPE_CHECKING:
    from aiohttp import web

SESSION = "hardtack"
LOGIN = "hardtack-login"
"""Of a login by OpenID Connect that is under way."""
_LIMIT = 16_384


def read(request: web.BaseRequest, name: str = SESSION) -> str:
    """A cookie's value; "" without one."""
    header = request.headers.get("Cookie", "")
    if not header or len(header) > _LIMIT:
        return ""
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(header)
    except CookieError:
        return ""
    found = jar.get(_named(request, name))
    return found.value if found is not None else ""


def give(response: web.StreamResponse, request: web.BaseRequest, value: str, name: str = SESSION) -> None:
    """Set a cookie, for as long as a session may last."""
    response.set_cookie(
        _named(request, name),
        value,
        path="/",
        max_age=int(LIFE) if name == SESSION else 600,
        httponly=True,
        samesite="Lax",
        secure=_is_secure(request),
    )


def take(response: web.StreamResponse, request: web.BaseRequest, name: str = SESSION) -> None:
    """Remove a cookie."""
    response.set_cookie(
        _named(request, name), "", path="/", max_age=0, httponly=True, samesite="Lax", secure=_is_secure(request)
    )


def _named(request: web.BaseRequest, name: str) -> str:
    return f"__Host-{name}" if _is_secure(request) else name


def _is_secure(request: web.BaseRequest) -> bool:
    return request_origin(request).startswith("https://")
