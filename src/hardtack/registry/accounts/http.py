"""The addresses that belong to accounts: `/token`, `/token/keys`, and what ends or begins a session of the pages.

The pages show the form at `/login`; what it sends comes here, and goes back there with a word when it is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlencode

from aiohttp import web

from hardtack.registry.accounts import cookies, token_server
from hardtack.registry.accounts.errors import TooManyFailures
from hardtack.registry.accounts.sessions import is_csrf
from hardtack.registry.api import bodies
from hardtack.registry.api.answers import VERSION_HEADERS, failed
from hardtack.registry.errors import NoSuchAddress, RegistryError, Unauthorized, Unsupported
from hardtack.registry.sender import request_address, request_origin

if TYPE_CHECKING:
    from hardtack.registry.accounts.accounts import Accounts
    from hardtack.registry.accounts.sessions import Session
    from hardtack.registry.service import Service

_BODY_LIMIT = 16 << 10
_FIELDS = 32


async def answer(service: Service, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse | None:
    """Answer a request to one of these addresses; None for all others, the pages' form among them."""
    accounts = service.accounts
    if path == "/token" or path.startswith("/token/"):
        # With an issuer elsewhere nobody here would believe a token of ours.
        if accounts is None or service.gate is not accounts.gate:
            return failed(NoSuchAddress())
        return await _tokens(service, accounts, request, path, query)
    if accounts is None:
        return None
    try:
        if path == "/login" and request.method == "POST":
            return await _login(accounts, request)
        if path == "/logout" and request.method == "POST":
            return await _logout(accounts, request)
        if path.startswith("/oidc/") and accounts.oidc is not None:
            return await accounts.oidc.answer(request, path, query)
    except RegistryError as error:
        return failed(error)
    return None


async def _tokens(
    service: Service, accounts: Accounts, request: web.BaseRequest, path: str, query: str
) -> web.StreamResponse:
    if path == "/token/keys" and request.method in ("GET", "HEAD"):
        return await token_server.keys(accounts)
    if path != "/token":
        return failed(NoSuchAddress())
    if request.method == "GET":
        return await token_server.get(service, accounts, request, query)
    if request.method == "POST":
        return await token_server.post(service, accounts, request)
    return failed(Unsupported(("GET", "POST")))


async def session_of(accounts: Accounts, request: web.BaseRequest) -> Session | None:
    """The session that a request of the pages belongs to."""
    cookie = cookies.read(request)
    return await accounts.sessions.session(cookie) if cookie else None


async def form(request: web.BaseRequest, limit: int = _BODY_LIMIT) -> dict[str, str]:
    """The fields of a form, the first value of each. Raises TooLarge."""
    text = (await bodies.whole(request, limit)).decode("utf-8", "replace")
    try:
        fields = parse_qs(text, keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


def is_from_here(request: web.BaseRequest) -> bool:
    """Whether a browser says that a form was sent by a page of ours; a program that says nothing may as well."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is None or origin.lower() == request_origin(request).lower()


def local_path(text: str) -> str:
    """Where to go after a login: a path of ours, and nothing that a browser would take for another host."""
    if text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and len(text) < 1000:
        return quote(text, safe="/?&=:@%+,;~.-_")
    return "/"


def redirect(where: str) -> web.Response:
    """Send a browser on, by GET."""
    return web.Response(status=303, headers={**VERSION_HEADERS, "Location": where, "Cache-Control": "no-store"})


async def _login(accounts: Accounts, request: web.BaseRequest) -> web.Response:
    if not is_from_here(request):
        return failed(Unauthorized("a page of another site sent this form", "Log in here"))
    fields = await form(request)
    where = local_path(fields.get("next", "/"))
    try:
        session = await accounts.sessions.login(
            fields.get("name", ""), fields.get("password", ""), request_address(request)
        )
    except TooManyFailures as error:
        return redirect("/login?" + urlencode({"failed": "wait", "seconds": max(1, round(error.wait)), "next": where}))
    except Unauthorized as error:
        word = "disabled" if "disabled" in error.message else "wrong"
        return redirect("/login?" + urlencode({"failed": word, "next": where}))
    response = redirect("/account/password" if session.caller.must_change else where)
    cookies.give(response, request, session.cookie)
    return response


async def _logout(accounts: Accounts, request: web.BaseRequest) -> web.Response:
    session = await session_of(accounts, request)
    if session is not None and not is_csrf(session, (await form(request)).get("csrf", "")):
        return failed(Unauthorized("the form does not belong to your session", "Load the page again"))
    response = redirect("/")
    if session is not None:
        await accounts.sessions.logout(session.cookie)
        cookies.take(response, request)
    return response
