"""Everything outside /v2/ and /api/: which page a request is for, who asks, and whether a form may be done.

Pages show only what their visitor may see; what they may not see is not there. A form is done when it comes from a page
of ours, from somebody who has logged in, with their session's token; then its page says whether they may. No page has a
script or a style of its own in it, and the browser is told to allow none.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote, urlsplit

from aiohttp import web

from hardtack.registry.access import Caller
from hardtack.registry.accounts.http import form, is_from_here, session_of
from hardtack.registry.accounts.sessions import is_csrf
from hardtack.registry.api.answers import status_of
from hardtack.registry.errors import BadRequest, Denied, ReadOnly, RegistryError, Unauthorized
from hardtack.registry.sender import request_address, request_origin, tell_who
from hardtack.registry.web.loading import Loader
from hardtack.registry.web.notices import NOTICES
from hardtack.registry.web.page import Done, LoginNeeded, Missing, Page, Shown
from hardtack.registry.web.rendering import ASSETS, HEADERS, Renderer, redirect
from hardtack.registry.web.table import ADDRESSES
from hardtack.registry.web.visit import Visit

if TYPE_CHECKING:
    from hardtack.registry.accounts.sessions import Session
    from hardtack.registry.service import Service

_FORM_LIMIT = 512 << 10
_PASSWORD = "/account/password"  # noqa: S105 - an address


class Pages:
    """See the module."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._loader = Loader(service)
        self._renderer = Renderer()

    async def answer(self, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
        """Answer a request for a page, or a form that was sent."""
        if path.startswith(ASSETS) and request.method in ("GET", "HEAD"):
            return self._renderer.asset(path[len(ASSETS) :]) or self._missing(None)
        if path == "/favicon.ico":
            return web.Response(status=302, headers={**HEADERS, "Location": f"{ASSETS}biscuit.svg"})
        visit = None
        try:
            visit = await self._visit(request, unquote(path, errors="replace").replace("\0", "\ufffd"), query)
            return await self._answer(request, visit)
        except Missing:
            return self._missing(visit)
        except LoginNeeded:
            return redirect(f"/login?next={quote(path + (f'?{query}' if query else ''), safe='')}")
        except RegistryError as error:
            return self._failed(visit, error)

    async def _visit(self, request: web.BaseRequest, path: str, query: str) -> Visit:
        accounts = self._service.accounts
        session = None if accounts is None else await session_of(accounts, request)
        caller = await self._caller(request, session)
        tell_who(request, caller.name)
        return Visit(
            self._service,
            self._loader,
            caller,
            session,
            request_address(request),
            urlsplit(request_origin(request)).netloc,
            path,
            _parameters(query),
        )

    async def _caller(self, request: web.BaseRequest, session: Session | None) -> Caller:
        if session is not None:
            return session.caller
        gate, authorization = self._service.gate, request.headers.get("Authorization")
        if authorization is None:
            return gate.anonymous()
        try:
            return await gate.identify(authorization, request_address(request))
        except Unauthorized:
            return gate.anonymous()

    async def _answer(self, request: web.BaseRequest, visit: Visit) -> web.Response:
        found = ADDRESSES.find(visit.path)
        page = None if found is None else found[0]
        is_form = request.method == "POST" and page is not None and bool(page.forms) and visit.has_accounts
        if request.method not in ("GET", "HEAD") and not is_form:
            return web.Response(status=405, headers={**HEADERS, "Allow": "GET, HEAD"}, text="only pages are here\n")
        if visit.caller.must_change and visit.path not in (_PASSWORD, "/login"):
            return redirect(_PASSWORD)
        if page is None or found is None:
            raise Missing
        visit = replace(visit, at=found[1])
        if is_form:
            return await self._form(request, visit, page)
        await page.guard(visit)
        return self._out(visit, await page.show(visit))

    async def _form(self, request: web.BaseRequest, visit: Visit, page: Page) -> web.Response:
        """Do what a form asks for. Raises Unauthorized, Denied, Missing, BadRequest, ReadOnly."""
        fields = await form(request, _FORM_LIMIT)
        visit = replace(visit, fields={name: value.replace("\0", "\ufffd") for name, value in fields.items()})
        if not is_from_here(request):
            raise Denied("send forms from other sites to", "the registry")
        if visit.session is None:
            raise Unauthorized("you are not logged in any more", "Log in in another tab, come back, and send it again")
        if not is_csrf(visit.session, fields.get("csrf", "")):
            raise Denied("send forms of another session to", "the registry")
        await page.guard(visit)
        do = fields.get("do", "")
        handler = page.forms.get(do)
        if handler is None:
            raise BadRequest("the form says nothing that can be done here")
        try:
            if self._service.read_only:
                raise ReadOnly
            return self._out(visit, await handler(visit))
        except RegistryError as error:
            if status_of(error) >= 500:
                raise
            visit = visit.with_trouble(do, str(error))
            shown = await page.show(visit)
            return self._out(visit, replace(shown, status=status_of(error)) if isinstance(shown, Shown) else shown)

    def _out(self, visit: Visit, made: Shown | Done) -> web.Response:
        if isinstance(made, Shown):
            return self._renderer.page(visit, made, NOTICES.get(visit.query.get("done", ""), ""))
        query = f"{'&' if '?' in made.where else '?'}done={made.notice}" if made.notice else ""
        return redirect(made.where + query)

    def _missing(self, visit: Visit | None) -> web.Response:
        return self._renderer.page(visit, Shown("missing.html", status=404))

    def _failed(self, visit: Visit | None, error: RegistryError) -> web.Response:
        status = status_of(error)
        values = {"message": str(error)}
        # 401 without a challenge would be no 401; these are pages.
        return self._renderer.page(visit, Shown("failed.html", values, 403 if status == 401 else status))


def _parameters(query: str) -> dict[str, str]:
    try:
        found = parse_qs(query, max_num_fields=20)
    except ValueError:
        return {}
    return {name: values[0].replace("\0", "\ufffd") for name, values in found.items()}
