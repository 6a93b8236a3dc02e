"""What a harness is, and the bytes that all of them are fed besides their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

from hardtack.registry.api.answers import failed, status_of
from hardtack.registry.errors import RegistryError

DIGEST = "sha256:" + "0123456789abcdef" * 4
LONG_DIGEST = "sha512:" + "0123456789abcdef" * 8


class Harness(NamedTuple):
    """One parser under attack.

    Attributes:
        check: raises whatever it should not when the bytes are handled wrongly.
        seeds: bytes near the interesting places.
    """

    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


HOSTILE = (
    *(b"", b"\0", b"\xff", b"%", b"%00", b"%2f", b"%ff", b"..", b"/", b"//", b":", b"@", b"\r\n", b"\n", b" ", b"\t"),
    *(
        b"-1",
        b"0",
        b"9" * 19,
        b"1e9",
        b"\xd9\xa3",
        b"\xed\xa0\x80",
        b"\\ud800",
        b"\\u0000",
        b"\xe2\x80\xae",
        b"a" * 300,
    ),
    *(b",", b";", b"=", b'"', b"*", b"W/", b"&", b"+", b"?", b"#", b"<", b">", b"bytes=", b"null", b"[", b"{", b"}"),
)
"""Pieces to put between others: what has confused somebody's parser before."""


def text_of(data: bytes) -> str:
    """Bytes as a request's text has them: what is no UTF-8 arrives as single surrogates, as from aiohttp."""
    return data.decode("utf-8", "surrogateescape")


def can_be_told(error: RegistryError) -> None:
    """The refusal becomes an answer that says whose fault it is."""
    assert 400 <= status_of(error) < 500, f"{type(error).__name__} is answered as a fault of ours"
    answer = failed(error)
    assert isinstance(answer.body, bytes)
    entry = json.loads(answer.body)["errors"][0]
    assert entry["code"].isupper()
    assert entry["message"]
    assert len(answer.body) < 4096, "the answer repeats too much of the request"
