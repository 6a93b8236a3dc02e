"""Where the server listens, and when it refuses to."""

from __future__ import annotations

from pathlib import Path

import pytest

from hardtack.cli.commands.registry_serve import announcement
from hardtack.registry.config.access import AccessSection
from hardtack.registry.config.document import Config
from hardtack.registry.config.server import DataSection, ServerSection
from hardtack.registry.errors import CannotServe
from hardtack.registry.server.admission import admitted, first_password
from hardtack.registry.server.settings import Settings, parse_listen
from hardtack.registry.server.stores import prepare_stores


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:5000", "127.0.0.1", 5000),
        ("127.0.0.1", "127.0.0.1", 5000),
        ("[::1]:80", "::1", 80),
        ("[::1]", "::1", 5000),
    ],
)
def test_an_address_is_read(text: str, host: str, port: int) -> None:
    (address,) = parse_listen(text)
    assert (address.host, address.port) == (host, port)


def test_localhost_is_every_address_that_it_has() -> None:
    addresses = parse_listen("localhost:0")
    assert addresses[0].host == "127.0.0.1"
    assert all(address.is_loopback for address in addresses)


@pytest.mark.parametrize(
    "text", ["127.0.0.1:x", "127.0.0.1:70000", "[::1", "[::1]x", "::1:5000", "no.such.host.invalid:1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(CannotServe, match="cannot listen on"):
        parse_listen(text)


def mode(text: str, root: Path, **more: bool) -> str:
    config = Config(data=DataSection(str(root)))
    prepare_stores(config)
    return admitted(Settings(config, parse_listen(text), **more)).mode


@pytest.mark.parametrize("text", ["0.0.0.0:0", "[::]:0", "10.1.2.3:5000"])
def test_an_address_that_others_reach_has_accounts_unless_opened(text: str, tmp_path: Path) -> None:
    assert mode(text, tmp_path) == "accounts"
    assert mode(text, tmp_path, open_to_all=True) == "open"


def test_on_this_machine_there_are_accounts_when_asked_for_or_there_already(tmp_path: Path) -> None:
    assert mode("127.0.0.1:0", tmp_path) == "open"
    assert mode("127.0.0.1:0", tmp_path, accounts=True) == "accounts"
    config = Config(data=DataSection(str(tmp_path)))
    settings = admitted(Settings(config, parse_listen("127.0.0.1:0"), accounts=True))
    assert first_password(settings)
    assert not first_password(settings), "it is shown once"
    assert mode("127.0.0.1:0", tmp_path) == "accounts"
    with pytest.raises(CannotServe, match="it has accounts"):
        mode("127.0.0.1:0", tmp_path, open_to_all=True)


def test_an_external_issuer_is_a_mode_of_its_own(tmp_path: Path) -> None:
    access = AccessSection(token_server="https://a.example/token", token_issuer="a", token_keys="/keys")
    config = Config(data=DataSection(str(tmp_path)), access=access)
    prepare_stores(config)
    assert admitted(Settings(config, parse_listen("127.0.0.1:0"))).mode == "external"


def test_the_start_says_where_who_and_what() -> None:
    config = Config(server=ServerSection(workers=2), data=DataSection("/data"))
    private = announcement(Settings(config, parse_listen("127.0.0.1:0")), [("127.0.0.1", 4321)])
    for part in ("127.0.0.1:4321", "http://localhost:4321/", "/data", "everybody on this machine", "2"):
        assert part in private
    public = announcement(Settings(config, parse_listen("[::]:0"), True), [("::", 4321)])
    assert "[::]:4321" in public
    assert "everybody who can reach it" in public
    guarded = announcement(Settings(config, parse_listen("[::]:0"), mode="accounts"), [("::", 4321)], "abc-def")
    assert "with accounts" in guarded
    assert "password  abc-def" in guarded


def test_the_start_names_the_address_that_clients_use() -> None:
    config = Config(server=ServerSection(url="https://registry.example.org/"), data=DataSection("/data"))
    said = announcement(Settings(config, parse_listen("127.0.0.1:0")), [("127.0.0.1", 4321)])
    assert "tack push registry.example.org/NAME:TAG" in said
    assert "https://registry.example.org/\n" in said
