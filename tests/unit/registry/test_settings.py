"""Where the server listens, and when it refuses to."""

from __future__ import annotations

import pytest

from hardtack.cli.commands.registry_serve import announcement
from hardtack.registry.config.document import Config
from hardtack.registry.config.server import DataSection, ServerSection
from hardtack.registry.errors import CannotServe
from hardtack.registry.server.parent import check_openness
from hardtack.registry.server.settings import Settings, parse_listen


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


@pytest.mark.parametrize("text", ["0.0.0.0:0", "[::]:0", "10.1.2.3:5000"])
def test_an_address_that_others_reach_is_refused_unless_opened(text: str) -> None:
    addresses = parse_listen(text)
    with pytest.raises(CannotServe, match="--open"):
        check_openness(Settings(Config(), addresses))
    check_openness(Settings(Config(), addresses, open_to_all=True))
    check_openness(Settings(Config(), parse_listen("127.0.0.1:0")))


def test_the_start_says_where_who_and_what() -> None:
    config = Config(server=ServerSection(workers=2), data=DataSection("/data"))
    private = announcement(Settings(config, parse_listen("127.0.0.1:0")), [("127.0.0.1", 4321)])
    for part in ("127.0.0.1:4321", "http://localhost:4321/", "/data", "everybody on this machine", "2"):
        assert part in private
    public = announcement(Settings(config, parse_listen("[::]:0"), True), [("::", 4321)])
    assert "[::]:4321" in public
    assert "everybody who can reach it" in public
