"""Whose word is believed about who sends a request."""

from __future__ import annotations

import ipaddress

import pytest
from multidict import CIMultiDict

from hardtack.registry.sender import Forwarding, Sender

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


def sender(peer: str, url: str = "", **headers: str) -> Sender:
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return Forwarding(PROXIES, url).sender(peer, named, False, "ours-1")


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", "198.51.100.1", "192.0.2.1"),  # nobody's proxy
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"),  # the first was made up by the client
        ("10.0.0.1", "198.51.100.1, 10.0.0.2, fd00::3", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.9, 10.0.0.2", "10.0.0.9"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", '"[2001:db8::1]:4711"', "2001:db8::1"),
        ("10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, <script>, 10.0.0.3", "10.0.0.3"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("", "198.51.100.1", ""),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy(peer: str, forwarded: str, address: str) -> None:
    assert sender(peer, X_Forwarded_For=forwarded).address == address


def test_only_a_trusted_proxy_says_how_the_client_called_us() -> None:
    said = {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "registry.example.org", "Host": "inside:5000"}
    assert sender("10.0.0.1", **said).origin == "https://registry.example.org"
    assert sender("192.0.2.1", **said).origin == "http://inside:5000"
    assert sender("192.0.2.1", "https://set.example.org", **said).origin == "https://set.example.org"


@pytest.mark.parametrize("host", ['a"b', "a/b", "a b", "a\r\nb", "a:1:2", "", "[::1", "a" * 300, "[" + ":" * 60 + "]"])
def test_a_host_that_cannot_be_one_is_not_repeated(host: str) -> None:
    assert sender("192.0.2.1", Host=host).origin == "http://localhost"


def test_a_number_is_taken_from_a_trusted_proxy_when_it_is_harmless() -> None:
    assert sender("10.0.0.1", X_Request_Id="abc-1").number == "abc-1"
    assert sender("10.0.0.1", X_Request_Id='abc"\n').number == "ours-1"
    assert sender("192.0.2.1", X_Request_Id="abc-1").number == "ours-1"


def test_this_machine_is_not_whoever_a_proxy_on_it_stands_for() -> None:
    assert sender("127.0.0.1").is_loopback
    assert sender("::1").is_loopback
    assert not sender("127.0.0.1", X_Forwarded_For="198.51.100.1").is_loopback
    assert not sender("192.0.2.1").is_loopback
    assert not sender("").is_loopback
    local = Forwarding((ipaddress.ip_network("127.0.0.0/8"),))
    behind = local.sender("127.0.0.1", CIMultiDict({"X-Forwarded-For": "198.51.100.1"}), False, "1")
    assert not behind.is_loopback
