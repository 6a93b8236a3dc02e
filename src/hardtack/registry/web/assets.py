"""Style, script and pictures of the pages: read once, named by their content so that browsers may keep them."""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import NamedTuple

_TYPES = {
    "style.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "biscuit.svg": "image/svg+xml",
}


class Asset(NamedTuple):
    """A file and how it is served; `version` changes with its bytes."""

    body: bytes
    content_type: str
    version: str


def load() -> dict[str, Asset]:
    """All of them, by name."""
    folder = resources.files("hardtack.registry.web") / "static"
    assets = {}
    for name, content_type in _TYPES.items():
        body = (folder / name).read_bytes()
        assets[name] = Asset(body, content_type, hashlib.sha256(body).hexdigest()[:12])
    return assets
