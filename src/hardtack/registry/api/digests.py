"""A digest out of a request."""

from __future__ import annotations

from hardtack.oci.digest import Digest
from hardtack.oci.errors import InvalidDigest
from hardtack.registry.errors import DigestInvalid


def digest_of(text: str | None) -> Digest:
    """The digest that a request gives.

    Raises:
        DigestInvalid: absent, malformed, or of an algorithm that is not verified here.
    """
    if text is None:
        raise DigestInvalid("the digest parameter is missing")
    try:
        return Digest(text)
    except InvalidDigest as error:
        raise DigestInvalid(error.message) from None
