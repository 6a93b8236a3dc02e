"""The pages' addresses and what each shows: `/`, `/REPOSITORY`, `/REPOSITORY:TAG`, `/REPOSITORY@DIGEST`.

An address is a reference as one would pull it, so that pasting one into a browser works. Pages show only what their
reader may pull. No page has a script or a style of its own in it, and the browser is told to allow none.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote

import jinja2
from aiohttp import web

from hardtack.oci.digest import Digest
from hardtack.oci.errors import OciError
from hardtack.oci.manifest import Index
from hardtack.registry.access import Action, Caller, allowed
from hardtack.registry.api.answers import status_of
from hardtack.registry.errors import NameInvalid, RegistryError, Unauthorized
from hardtack.registry.names import check_repository, is_tag
from hardtack.registry.web import assets, text, views
from hardtack.registry.web.loading import Loader

if TYPE_CHECKING:
    from hardtack.oci.manifest import Manifest
    from hardtack.registry.metadata.rows import RepositorySummary, StoredManifest
    from hardtack.registry.service import Service

_PAGE = 50
_SEARCH_LIMIT = 100
_ASSETS = "/_/"
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "hardtack",
}


class _Missing(Exception):
    """There is nothing at this address, as far as the reader may know."""


class Pages:
    """Answers everything outside /v2/."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._loader = Loader(service)
        self._assets = assets.load()
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("hardtack.registry.web"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.filters.update(
            size=text.size, ago=lambda moment: text.ago(moment, time.time()), stamp=text.stamp, clean=text.clean
        )
        self._templates.globals["asset"] = lambda name: f"{_ASSETS}{name}?v={self._assets[name].version}"

    async def answer(self, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
        """Answer a request for a page."""
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={**HEADERS, "Allow": "GET, HEAD"}, text="only pages are here\n")
        if path.startswith(_ASSETS):
            return self._asset(path[len(_ASSETS) :])
        if path == "/favicon.ico":
            return web.Response(status=302, headers={**HEADERS, "Location": f"{_ASSETS}biscuit.svg"})
        try:
            caller = await self._caller(request)
            shown = _Reader(self, caller, _host(request), _parameters(query))
            return self._page(200, *await shown.page(unquote(path, errors="replace")))
        except _Missing:
            return self._page(404, "missing.html", {})
        except RegistryError as error:
            return self._page(status_of(error), "failed.html", {"message": str(error)})

    async def _caller(self, request: web.BaseRequest) -> Caller:
        gate, authorization = self._service.gate, request.headers.get("Authorization")
        if authorization is None:
            return gate.anonymous()
        try:
            return await gate.identify(authorization)
        except Unauthorized:
            return gate.anonymous()

    def _page(self, status: int, template: str, values: dict[str, Any]) -> web.Response:
        html = self._templates.get_template(template).render(values)
        return web.Response(status=status, headers=HEADERS, text=html, content_type="text/html")

    def _asset(self, name: str) -> web.Response:
        asset = self._assets.get(name)
        if asset is None:
            return self._page(404, "missing.html", {})
        headers = {
            **HEADERS,
            "Content-Type": asset.content_type,
            "Cache-Control": "public, max-age=31536000, immutable",
        }
        return web.Response(headers=headers, body=asset.body)


class _Reader:
    """One reader's look at one page."""

    def __init__(self, pages: Pages, caller: Caller, host: str, parameters: dict[str, str]) -> None:
        self._metadata = pages._service.metadata
        self._loader = pages._loader
        self._caller = caller
        self._host = host
        self._parameters = parameters

    async def page(self, path: str) -> tuple[str, dict[str, Any]]:
        """The template of an address and its values. Raises _Missing."""
        if path == "/":
            return await self._home()
        name, digest, tag = _address(path)
        if not (visibility := await self._metadata.visibility(name)):
            raise _Missing
        if not allowed(self._caller, Action.PULL, name, visibility):
            raise _Missing
        if digest or tag:
            return await self._image(name, tag, digest or tag)
        return await self._repository(name)

    async def _home(self) -> tuple[str, dict[str, Any]]:
        wanted = self._parameters.get("q", "").strip()[:_SEARCH_LIMIT]
        found = await self._visible(wanted.lower(), self._parameters.get("after", ""))
        following = found[_PAGE - 1].name if len(found) > _PAGE else ""
        return "home.html", {
            "host": self._host,
            "wanted": wanted,
            "repositories": found[:_PAGE],
            "totals": await self._metadata.totals() if allowed(self._caller, Action.PULL) else None,
            "next": f"/?q={quote(wanted)}&after={quote(following)}" if following else "",
        }

    async def _visible(self, wanted: str, after: str) -> list[RepositorySummary]:
        found: list[RepositorySummary] = []
        while len(found) <= _PAGE:
            page = await self._metadata.summaries(wanted, after, _PAGE + 1)
            found += [
                summary for summary in page if allowed(self._caller, Action.PULL, summary.name, summary.visibility)
            ]
            if len(page) <= _PAGE:
                break
            after = page[-1].name
        return found

    async def _repository(self, name: str) -> tuple[str, dict[str, Any]]:
        wanted = self._parameters.get("q", "").strip()[:_SEARCH_LIMIT]
        tags = await self._metadata.latest_tags(name, wanted, _position(self._parameters.get("before")), _PAGE + 1)
        rows = [(tag, await self._loader.outline(name, tag.digest)) for tag in tags[:_PAGE]]
        following = f"{tags[_PAGE - 1].updated!r},{tags[_PAGE - 1].name}" if len(tags) > _PAGE else ""
        latest = next((tag.name for tag in tags if tag.name == "latest"), tags[0].name if tags else "TAG")
        return "repository.html", {
            "host": self._host,
            "name": name,
            "wanted": wanted,
            "rows": rows,
            "largest": max((outline.size for _, outline in rows), default=0),
            "summary": await self._metadata.summary(name),
            "pull": f"{self._host}/{name}:{latest}",
            "next": f"/{name}?q={quote(wanted)}&before={quote(following)}" if following else "",
        }

    async def _image(self, name: str, tag: str, reference: str) -> tuple[str, dict[str, Any]]:
        found = await self._loader.manifest(name, reference)
        if found is None:
            raise _Missing
        stored, manifest = found
        entries: tuple[views.PlatformView, ...] = ()
        shown: views.PlatformView | None = None
        if isinstance(manifest, Index):
            entries = views.platforms(manifest)
            shown = views.preferred(entries)
            inner = await self._loader.manifest(name, shown.digest) if shown is not None else None
        else:
            inner = found
        return "image.html", {
            "host": self._host,
            "name": name,
            "tag": tag,
            "stored": stored,
            "is_index": isinstance(manifest, Index),
            "platforms": entries,
            "shown": shown,
            "inner_digest": "" if inner is None else inner[0].digest,
            "image": await self._view(name, inner),
            "pull": f"{self._host}/{name}" + (f":{tag}" if tag else f"@{stored.digest}"),
            "tags": await self._metadata.tags_of(name, stored.digest),
            "parents": [
                parent for parent, kind in await self._metadata.parents(name, stored.digest) if kind == "manifest"
            ],
            "referrers": await self._metadata.referrers(name, stored.digest, limit=_PAGE),
        }

    async def _view(self, name: str, inner: tuple[StoredManifest, Manifest | Index] | None) -> views.ImageView | None:
        if inner is None or isinstance(inner[1], Index):
            return None
        return views.image_view(inner[1], await self._loader.config(name, inner[1]))


def _address(path: str) -> tuple[str, str, str]:
    """The repository, digest and tag that a path names; one of the last two, or neither. Raises _Missing."""
    name, at, digest = path.strip("/").partition("@")
    name, colon, tag = name.partition(":") if not at else (name, "", "")
    try:
        check_repository(name)
        if at:
            digest = Digest(digest)
    except (NameInvalid, OciError):
        raise _Missing from None
    if colon and not is_tag(tag):
        raise _Missing
    return name, digest, tag


def _parameters(query: str) -> dict[str, str]:
    try:
        return {name: values[0] for name, values in parse_qs(query, max_num_fields=20).items()}
    except ValueError:
        return {}


def _position(value: str | None) -> tuple[float, str] | None:
    moment, comma, name = (value or "").partition(",")
    try:
        return (float(moment), name) if comma else None
    except ValueError:
        return None


def _host(request: web.BaseRequest) -> str:
    """The host that the reader called us by, for commands to copy; a made-up one is not repeated."""
    host = request.headers.get("Host", "")
    return host if _HOST.fullmatch(host) else "localhost"
