"""The table of the JSON API: paths to endpoints, patterns to what one must administer, and the reference."""

from __future__ import annotations

import base64
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest

from hardtack.registry.access import ROLES, Action, Caller, Grant, allowed
from hardtack.registry.admin import openapi
from hardtack.registry.admin.ask import covered
from hardtack.registry.admin.endpoints import TABLE
from hardtack.registry.admin.table import Endpoint, Table
from hardtack.registry.errors import BadRequest, NameInvalid
from hardtack.registry.events.payload import KINDS, new_secret
from hardtack.registry.events.payload import headers as headers_of


async def nothing(ask: Any) -> None:
    """A handler."""


SAMPLE = Table(
    tuple(
        Endpoint("GET", path, nothing, "")
        for path in (
            "/repositories",
            "/repositories/{repository}",
            "/repositories/{repository}/-/tags",
            "/repositories/{repository}/-/tags/{tag}/history",
        )
    )
)


@pytest.mark.parametrize(
    ("path", "found", "parameters"),
    [
        ("/repositories", "/repositories", {}),
        ("/repositories/a", "/repositories/{repository}", {"repository": "a"}),
        ("/repositories/a/b/c", "/repositories/{repository}", {"repository": "a/b/c"}),
        ("/repositories/a/tags", "/repositories/{repository}", {"repository": "a/tags"}),
        ("/repositories/a/b/-/tags", "/repositories/{repository}/-/tags", {"repository": "a/b"}),
        (
            "/repositories/a/-/tags/v1/history",
            "/repositories/{repository}/-/tags/{tag}/history",
            {"repository": "a", "tag": "v1"},
        ),
        ("/repositories/", None, {}),
        ("/repositories/a/-", None, {}),
        ("/repositories/a/-/tags/", None, {}),
        ("/repositories/a//b", None, {}),
    ],
)
def test_a_path_names_one_endpoint(path: str, found: str | None, parameters: dict[str, str]) -> None:
    match = SAMPLE.find(path)
    assert (None if match is None else (match[0]["GET"].path, match[1])) == (found and (found, parameters))


@pytest.mark.parametrize("path", ["/repositories/A", "/repositories/..%2fa", "/repositories/v2", "/repositories/a%00"])
def test_a_name_outside_the_grammar_is_refused(path: str) -> None:
    with pytest.raises(NameInvalid):
        SAMPLE.find(path)


@pytest.mark.parametrize(
    ("granted", "pattern", "may"),
    [
        ("**", "**", True),
        ("team/**", "**", False),
        ("team/**", "team/**", True),
        ("team/**", "team/*", True),
        ("team/**", "team/a", True),
        ("team/*", "team/**", False),
        ("team/*", "team/*", True),
        ("team/a", "team/*", False),
        ("team/a", "team/a", True),
        ("other/**", "team/a", False),
    ],
)
def test_who_administers_less_than_a_pattern_covers_may_not_have_it(granted: str, pattern: str, may: bool) -> None:
    caller = Caller("ada", (Grant(granted, ROLES["admin"]),))
    assert allowed(caller, Action.ADMIN, covered(pattern)) is may


@pytest.mark.parametrize("pattern", ["*", "a*", "a/*/b", "", "A/**", "a/***"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises((BadRequest, NameInvalid)):
        covered(pattern)


def test_the_reference_says_how_a_webhook_is_verified() -> None:
    known: dict[str, Any] = {"base64": base64, "hmac": hmac, "time": time}
    exec(openapi.reference().split("```python\n")[1].split("```")[0], known)
    secret, text = new_secret(), '{"type": "push"}'
    headers = headers_of("msg_1", time.time(), text, secret)
    assert known["genuine"](headers, text.encode(), secret)
    assert not known["genuine"](headers, b"{}", secret)
    assert not known["genuine"](headers, text.encode(), new_secret())
    assert not known["genuine"](headers_of("msg_1", time.time() - 3600, text, secret), text.encode(), secret)
    assert all(f"| `{kind}` |" in openapi.reference() for kind in KINDS)


def test_the_reference_names_every_endpoint_and_every_type() -> None:
    document = json.loads(openapi.document())
    for endpoint in TABLE.endpoints:
        operation = document["paths"][f"/api/v1{endpoint.path}"][endpoint.method.lower()]
        assert operation["summary"]
        assert f"`{endpoint.method} /api/v1{endpoint.path}`" in openapi.reference()
    text = openapi.document().decode()
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in document["components"]["schemas"]


def test_the_reference_page_is_what_the_table_says() -> None:
    page = Path(__file__).parents[3] / "docs" / "registry" / "api.md"
    assert page.read_text() == openapi.reference(), "run ./dev docs"
