"""Pages of a listing: how many, after which, and the Link to the rest.

Keyset paging: a page begins after a value and never at a number, so that it costs the same anywhere in the list.

Source: OCI distribution-spec 1.1, "Listing Tags"; RFC 8288.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from hardtack.registry.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE_LIMIT = 1000


class PageInvalid(RegistryError):
    """`n` is no count."""

    code = "PAGINATION_NUMBER_INVALID"

    def __init__(self, text: str) -> None:
        super().__init__("n must be a whole number, not negative", detail={"n": text[:40]})


def page_size(text: str | None) -> int:
    """How many entries a page has: `n`, clamped to 1000, which is also what goes without saying.

    Raises:
        PageInvalid: it is no count.
    """
    if text is None or text == "":
        return PAGE_LIMIT
    if not (text.isascii() and text.isdigit()):
        raise PageInvalid(text)
    return min(int(text[:10]), PAGE_LIMIT)


def next_link(path: str, limit: int, last: str, others: Mapping[str, str] | None = None) -> str:
    """The Link header's value for the page after `last`.

    Args:
        path: of the listing, without a query.
        others: further parameters to keep.
    """
    query = urlencode({"n": limit, "last": last, **(others or {})}, quote_via=quote, safe="")
    return f'<{quote(path, safe="/")}?{query}>; rel="next"'
