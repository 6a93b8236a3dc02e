"""The registry's address as a client called it: what absolute addresses in answers begin with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web

# A name or an address, and a port: nothing that could end a quoted value or begin a path.
_HOST = re.compile(r"[A-Za-z0-9._~-]{1,255}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")


def origin_of(request: web.BaseRequest) -> str:
    """Scheme, host and port by which the client came; "" when its Host cannot be repeated."""
    host = request.headers.get("Host", "")
    return f"{request.scheme}://{host}" if _HOST.fullmatch(host) else ""
