"""Registries and proxies that mean harm: each ends in one error with a reason, in bounded time and memory."""

from __future__ import annotations

import json

import pytest

from hardtack.cli.main import main
from hardtack.remote.connection import Connections
from hardtack.remote.errors import BadAnswer, RemoteError, TooLarge, Unreachable
from hardtack.remote.network import translated
from hardtack.remote.origin import Origin
from hardtack.remote.proxy import Proxies
from support.bad_registry import BadRegistry, Handler, send, status
from support.clients import client_of, quick_config, repository_of


@pytest.mark.parametrize(
    "link",
    [
        "<http://[>; rel=next",
        '</v2/>; rel="next',
        "</v2/>; rel=",
        "<" + "a" * 20_000 + ">; rel=next",
        "<\xe9>; rel=next",
        "<http://127.0.0.1:99999/>; rel=next",
    ],
)
def test_a_malformed_link_to_the_next_page_is_an_error_with_a_reason(registry: BadRegistry, link: str) -> None:
    registry.fault("tags/list", send(b'{"tags": ["1"]}', {"Link": link}))
    with pytest.raises(BadAnswer):
        repository_of(registry).tags()


@pytest.mark.parametrize("realm", ["http://[", "https://[::1", "http://a:b/", "//x", "http://\x9b31m/"])
def test_a_malformed_realm_is_an_error_with_a_reason(registry: BadRegistry, realm: str) -> None:
    registry.fault("/v2/", status(401, {"WWW-Authenticate": f'Bearer realm="{realm}"'}))
    with pytest.raises(RemoteError) as caught:
        repository_of(registry).tags()
    assert caught.value.message.isprintable()


def test_a_list_without_end_is_given_up(registry: BadRegistry) -> None:
    pages = [0]

    def page(handler: Handler) -> bool:
        pages[0] += 1
        tags = [f"{pages[0]}-{n}" for n in range(100_000)]
        handler.answer(
            200, json.dumps({"tags": tags}).encode(), {"Link": f"</v2/a/b/tags/list?n={pages[0]}>; rel=next"}
        )
        return True

    registry.fault("tags/list", page)
    with pytest.raises(TooLarge):
        repository_of(registry).tags()
    assert pages[0] < 100


def test_a_secret_that_no_header_can_carry_is_not_shown(registry: BadRegistry) -> None:
    registry.fault("/v2/", status(401, {"WWW-Authenticate": f'Bearer realm="{registry.url}/token"'}))
    with pytest.raises(RemoteError) as caught:
        client_of(registry.host, registry_token="hush\nhush").ping()
    assert "hush" not in str(caught.value)


def test_a_proxy_that_cannot_be_understood_is_named_as_such_and_keeps_its_password() -> None:
    connections = Connections(quick_config(), Proxies("http://me:pa/ss@proxy:3128", "socks5://me:hush@proxy:1"))
    for scheme in ("http", "https"):
        with pytest.raises(RemoteError) as caught:
            connections.ask(Origin(scheme, "registry.example", 80), "GET", "/", {})
        assert "proxy" in str(caught.value).lower()
        assert "as a registry should" not in str(caught.value)
        assert "hush" not in str(caught.value)
        assert "'pa'" not in str(caught.value)


def test_what_a_proxy_says_cannot_steer_a_terminal() -> None:
    error = translated(OSError("Tunnel connection failed: 407 \x1b[2J\nno"), Origin("https", "a", 443))
    assert isinstance(error, Unreachable)
    assert error.message.isprintable()


@pytest.mark.parametrize("body", [b"\xff\x00", b"[" * 100_000, b"7", b'{"a": 1' * 9])
def test_a_manifest_that_is_none_is_no_internal_error(
    registry: BadRegistry, body: bytes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", "/nonexistent")
    registry.add_manifest("a/b", "1", body)
    assert main(["manifest", "inspect", f"{registry.host}/a/b:1"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("tack: invalid manifest: "), said
