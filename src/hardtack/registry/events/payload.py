"""What a webhook is sent: the body, and the headers that prove where it comes from. Pure.

Source: Standard Webhooks 1.0 (headers webhook-id, webhook-timestamp, webhook-signature; secrets `whsec_…`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from datetime import UTC, datetime
from typing import NamedTuple

KINDS = ("push", "delete", "tag", "untag", "restore", "repository", "drop")
"""What can happen: a manifest came, went, or came back; a tag was set or removed; a repository came or went."""

_PREFIX = "whsec_"
_LEAST, _MOST = 24, 64  # bytes of a secret


class Event(NamedTuple):
    """Something that happened; the fields that do not apply are empty."""

    id: int
    kind: str
    repository: str
    tag: str
    digest: str
    media_type: str
    size: int
    who: str
    moment: float


def body(event: Event) -> str:
    """The JSON text that is sent for an event."""
    data: dict[str, object] = {"repository": event.repository}
    if event.tag:
        data["tag"] = event.tag
    if event.digest:
        data["digest"] = event.digest
    if event.media_type:
        data |= {"mediaType": event.media_type, "size": event.size}
    data["actor"] = event.who
    moment = datetime.fromtimestamp(event.moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"type": event.kind, "timestamp": moment, "data": data}, separators=(",", ":"))


def new_secret() -> str:
    """A secret to sign with."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def is_secret(text: str) -> bool:
    """Whether a text is a secret as the standard has them: `whsec_` and 24 to 64 bytes in base64."""
    return _LEAST <= len(_key(text)) <= _MOST


def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return b""
    try:
        return base64.b64decode(secret[len(_PREFIX) :], validate=True)
    except binascii.Error:
        return b""


def headers(delivery: str, moment: float, text: str, secret: str) -> dict[str, str]:
    """The headers of a delivery.

    Args:
        delivery: its id, the same at each attempt.
        moment: of this attempt.
        text: the body.
    """
    timestamp = str(int(moment))
    signed = hmac.digest(_key(secret), f"{delivery}.{timestamp}.{text}".encode(), hashlib.sha256)
    return {
        "Content-Type": "application/json",
        "User-Agent": "hardtack-registry",
        "webhook-id": delivery,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }


_FIRST_PAUSE, _LONGEST_PAUSE, ATTEMPTS = 5.0, 6 * 3600.0, 12


def pause_after(attempts: int) -> float | None:
    """Seconds to the next attempt after so many have failed; None when it is given up, about a day after the first."""
    return None if attempts >= ATTEMPTS else min(_FIRST_PAUSE * 3.0 ** (attempts - 1), _LONGEST_PAUSE)
