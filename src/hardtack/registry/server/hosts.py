"""Which Host header an open registry on loopback answers to.

A page from anywhere can make a browser on this machine send requests here, and a name under a stranger's control can
be made to resolve to 127.0.0.1, so that the browser takes answers for the stranger's own. Both are stopped by answering
to addresses and to localhost only, and by refusing changes that a browser says come from another site.

Source: "DNS rebinding"; RFC 9110, section 7.2; Fetch Metadata Request Headers.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=256)
def is_local(host: str) -> bool:
    """Whether a Host header names an address or localhost, with or without a port."""
    name = host.strip().lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def from_elsewhere(origin: str | None, fetch_site: str | None, host: str) -> bool:
    """Whether a browser says that a request was made by a page of another site.

    Args:
        origin: the Origin header.
        fetch_site: the Sec-Fetch-Site header.
        host: the Host header.
    """
    if fetch_site is not None:
        return fetch_site not in ("same-origin", "none")
    if origin is None:
        return False
    return origin.partition("://")[2].lower() != host.lower()
