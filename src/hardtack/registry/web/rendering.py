"""Templates to answers: HTML with every text escaped, under a policy that lets a page load nothing from elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import jinja2
from aiohttp import web

from hardtack.registry.config import units
from hardtack.registry.web import assets, text

if TYPE_CHECKING:
    from hardtack.registry.web.page import Shown
    from hardtack.registry.web.visit import Visit

ASSETS = "/_/"

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With "no-referrer" browsers say of our own forms that they come from nowhere.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "hardtack",
}


class Renderer:
    """The templates and assets of the pages."""

    def __init__(self) -> None:
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
            size=text.size,
            ago=lambda moment: text.ago(moment, time.time()),
            stamp=text.stamp,
            clean=text.clean,
            short=short,
            left=text.left,
            exact=units.size,
            quoted=lambda value: quote(str(value), safe=""),
        )
        self._templates.globals["asset"] = lambda name: f"{ASSETS}{name}?v={self._assets[name].version}"

    def page(self, visit: Visit | None, shown: Shown, notice: str = "") -> web.Response:
        """A page as an answer."""
        values: dict[str, Any] = {"visit": visit, "notice": notice, **shown.values}
        html = self._templates.get_template(shown.template).render(values)
        return web.Response(status=shown.status, headers=HEADERS, text=html, content_type="text/html")

    def asset(self, name: str) -> web.Response | None:
        """A file that pages load, or None when there is none of that name."""
        asset = self._assets.get(name)
        if asset is None:
            return None
        headers = {
            **HEADERS,
            "Content-Type": asset.content_type,
            "Cache-Control": "public, max-age=31536000, immutable",
        }
        return web.Response(headers=headers, body=asset.body)


def short(digest: str) -> str:
    """As much of a digest as people look at."""
    return digest.partition(":")[2][:12] or digest[:12]


def redirect(where: str) -> web.Response:
    """Send a browser on, by GET, to a path of ours.

    Args:
        where: decoded path, with or without an encoded query.
    """
    path, mark, query = where.partition("?")
    return web.Response(status=303, headers={**HEADERS, "Location": quote(path, safe="/:@-._~+") + mark + query})
