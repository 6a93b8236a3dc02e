"""Hashes of small things: the keys of the cache, digests of configs. No import of OpenSSL, which costs 4 ms."""

from __future__ import annotations

from hardtack.jsontext import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

try:
    from _sha2 import sha256 as _sha256  # type: ignore[import-not-found,unused-ignore]  # Python 3.12
except ImportError:
    try:
        from _sha256 import sha256 as _sha256  # type: ignore[import-not-found,no-redef,unused-ignore]
    except ImportError:
        from hashlib import sha256 as _sha256

VERSION = 1
"""Part of every key: raise it when a step's meaning changes, and no old result is taken for a new one."""


def sha256(data: bytes = b"") -> Any:
    """A running SHA-256 of the interpreter's own."""
    return _sha256(data)


def key_of(kind: str, facts: dict[str, Any]) -> str:
    """The key of a step: one hash over everything that its result depends on.

    Args:
        kind: of the step, so that two kinds never meet.
        facts: plain values; the order does not matter.
    """
    text = dumps([VERSION, kind, facts], sort_keys=True)
    return str(sha256(text.encode("utf-8", "surrogatepass")).hexdigest())
