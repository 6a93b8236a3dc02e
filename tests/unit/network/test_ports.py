"""-p, -P and --expose: what people write, what documents hold, what `ps` shows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardtack.network.errors import InvalidPort
from hardtack.network.ports import (
    Port,
    Publish,
    from_bindings,
    parse_expose,
    parse_publish,
    shown,
    to_bindings,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80", [Publish(80)]),
        ("80/udp", [Publish(80, "udp")]),
        ("80/TCP", [Publish(80, "tcp")]),
        ("8080:80", [Publish(80, "tcp", 8080)]),
        ("8080:80/sctp", [Publish(80, "sctp", 8080)]),
        ("0:80", [Publish(80, "tcp", 0)]),
        ("127.0.0.1:8080:80/udp", [Publish(80, "udp", 8080, "127.0.0.1")]),
        ("127.0.0.1::80", [Publish(80, "tcp", 0, "127.0.0.1")]),
        ("[::1]:8080:80", [Publish(80, "tcp", 8080, "::1")]),
        ("[0:0:0:0:0:0:0:1]::80", [Publish(80, "tcp", 0, "::1")]),
        ("80-82", [Publish(80), Publish(81), Publish(82)]),
        ("8000-8002:80-82", [Publish(80, "tcp", 8000), Publish(81, "tcp", 8001), Publish(82, "tcp", 8002)]),
        ("8000-8002:80", [Publish(80, "tcp", 8000, "", 8002)]),
        ("8080:8080-8080", [Publish(8080, "tcp", 8080)]),
        ("published=8080,target=80,protocol=udp", [Publish(80, "udp", 8080)]),
        ("target=80", [Publish(80)]),
    ],
)
def test_every_form_is_understood(text: str, expected: list[Publish]) -> None:
    assert parse_publish(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no container port"),
        ("8080:", "no container port"),
        (":", "no container port"),
        (":80:80", "empty"),
        ("http", "invalid container port http"),
        ("80/quic", "quic is no protocol"),
        ("80/", "is no protocol"),
        ("70000:80", "invalid host port 70000"),
        ("80:70000", "invalid container port 70000"),
        ("8080:0", "invalid container port 0"),
        ("-1:80", "invalid host port -1"),
        ("80-", "invalid container port 80-"),
        ("82-80", "ends before it begins"),
        ("0-10:80", "ends before it begins"),
        ("8000-8005:80-82", "different lengths"),
        ("::1:8080:80", "brackets"),
        ("1.2.3:8080:80", "no IP address"),
        ("127.0.0.01:8080:80", "no IP address"),
        ("localhost:8080:80", "no IP address"),
        ("٣:80", "invalid host port"),
        ("published=1,color=red", "color is not"),
        ("published=1,target=2,mode=warp", "no mode"),
    ],
)
def test_what_has_no_meaning_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(InvalidPort) as caught:
        parse_publish(text)
    assert why in str(caught.value)
    assert caught.value.exit_code == 125


@given(st.text(max_size=30))
def test_no_text_makes_the_parser_fail_otherwise(text: str) -> None:
    try:
        found = parse_publish(text)
    except InvalidPort:
        return
    assert from_bindings(to_bindings(found)) == list(dict.fromkeys(found))


def test_bindings_are_docker_s_and_go_both_ways() -> None:
    publishes = [*parse_publish("127.0.0.1:8080:80"), *parse_publish("8081-8083:80"), *parse_publish("53/udp")]
    bindings = to_bindings(publishes)
    assert bindings == {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}, {"HostIp": "", "HostPort": "8081-8083"}],
        "53/udp": [{"HostIp": "", "HostPort": ""}],
    }
    assert from_bindings(bindings) == publishes


def test_publish_all_takes_the_exposed_ports_that_have_no_binding() -> None:
    found = from_bindings({"80/tcp": [{"HostPort": "8080"}]}, ["80/tcp", "443/tcp", "53/udp"], publish_all=True)
    assert found == [Publish(80, "tcp", 8080), Publish(53, "udp"), Publish(443)]
    assert from_bindings(None, ["443/tcp"]) == []


@pytest.mark.parametrize(
    "bindings", [[], {"80/tcp": {}}, {"80/tcp": ["8080"]}, {"x": [{}]}, {"80/tcp": [{"HostIp": "here"}]}, {"80-81": []}]
)
def test_bindings_from_outside_are_checked(bindings: Any) -> None:
    with pytest.raises(InvalidPort):
        from_bindings(bindings)


def test_exposed_ports_may_be_ranges() -> None:
    assert parse_expose("80") == ["80/tcp"]
    assert parse_expose("7000-7002/udp") == ["7000/udp", "7001/udp", "7002/udp"]
    with pytest.raises(InvalidPort):
        parse_expose("80:80")


def test_neighbouring_ports_are_shown_as_one_range() -> None:
    ports = [Port("tcp", "0.0.0.0", 8000 + step, 80 + step) for step in range(3)]
    ports += [Port("udp", "127.0.0.1", 5353, 53)]
    assert shown(ports, ["443/tcp", "80/tcp"]) == "127.0.0.1:5353->53/udp, 0.0.0.0:8000-8002->80-82/tcp, 443/tcp"
    assert shown([]) == ""
