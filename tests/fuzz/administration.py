"""Requests to what accounts bring: the token server and every endpoint of the JSON API, with bodies nearly right."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import strategies as st

from fuzz.harness import DIGEST
from fuzz.wire import ODD, escaped, queries
from hardtack.registry.admin.endpoints import TABLE

_PARAMETER = re.compile(r"\{\w+\}")
_TEXTS = st.sampled_from(
    [
        *(
            "bob",
            "root",
            "bob/app",
            "bob/**",
            "**",
            "read",
            "admin",
            "public",
            "pull",
            "a@b.c",
            "v1",
            DIGEST,
            "2026-01-01",
        ),
        *("", "\0", "\ud800", "A" * 300, "../..", "http://127.0.0.1/", "https://example.org/hook", "<b>", "1", "-1"),
    ]
)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    _TEXTS | st.none() | st.booleans() | st.sampled_from([0, -1, 1, 2**31, 2**63, 2**64, 1.5, 1e308]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXTS, inner, max_size=2),
    max_leaves=4,
)


def _path(template: str) -> st.SearchStrategy[bytes]:
    """A template with its parameters filled in, each apart."""
    pieces = _PARAMETER.split(template)
    parameter = st.sampled_from([b"bob", b"root", b"bob/app", b"app", b"1", b"v1", DIGEST.encode()]) | ODD.map(escaped)
    return st.tuples(*[parameter] * (len(pieces) - 1)).map(
        lambda filled: b"".join(
            part for pair in zip([piece.encode() for piece in pieces], [*filled, b""], strict=True) for part in pair
        )
    )


@st.composite
def administrations(draw: st.DrawFn, host: str, known: tuple[str, ...]) -> bytes:
    """One request by somebody known, or by nobody."""
    if draw(st.integers(0, 4)):
        endpoint = draw(st.sampled_from(TABLE.endpoints))
        method, address = endpoint.method, b"/api/v1" + draw(_path(endpoint.path))
        names = getattr(endpoint.takes, "__struct_fields__", ()) if endpoint.takes is not None else ()
        body = json.dumps(draw(_body(names)) if draw(st.integers(0, 5)) else draw(_VALUES)).encode()
        kind = "application/json"
    else:
        method, address = draw(st.sampled_from([("GET", b"/token"), ("POST", b"/token"), ("GET", b"/token/keys")]))
        body, kind = draw(_form()), "application/x-www-form-urlencoded"
        if method == "GET":
            address += b"?" + body
    address += b"" if b"?" in address else draw(queries())
    lines = [f"Host: {host}", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    who = draw(st.sampled_from([*known, *known, "", "Basic Og==", "Bearer a.b.c", "Bearer " + "x" * 200]))
    lines += [f"Authorization: {who}"] if who else []
    return method.encode() + b" " + address + b" HTTP/1.1\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _body(names: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={name: _TEXTS | st.lists(_TEXTS, max_size=2) | _VALUES for name in names})


def _form() -> st.SearchStrategy[bytes]:
    names = st.sampled_from(
        [b"service", b"scope", b"account", b"grant_type", b"username", b"password", b"refresh_token"]
    )
    values = st.sampled_from([b"password", b"refresh_token", b"bob", b"registry", b"repository:a:pull,push"])
    pairs = st.tuples(names | st.just(b"client_id"), values | ODD.map(escaped))
    return st.lists(pairs, max_size=4).map(lambda made: b"&".join(name + b"=" + value for name, value in made))
