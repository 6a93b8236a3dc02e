"""hosts and resolv.conf of a container."""

from __future__ import annotations

import pytest

from hardtack.network.files import (
    HOST_GATEWAY,
    InvalidHost,
    asks_only_stub,
    check_nameserver,
    hosts,
    hosts_of_host,
    parse_extra_host,
    resolv_conf,
)


def test_a_container_finds_itself_and_what_was_added() -> None:
    text = hosts([("172.20.0.2", "abc web")], [("db", "192.0.2.7"), ("host.internal", HOST_GATEWAY)], "172.20.0.1")
    lines = text.splitlines()
    assert "127.0.0.1\tlocalhost" in lines
    assert lines[-3:] == ["192.0.2.7\tdb", "172.20.0.1\thost.internal", "172.20.0.2\tabc web"]


def test_without_a_network_the_host_gateway_is_left_out() -> None:
    assert "internal" not in hosts([("", "abc")], [("host.internal", HOST_GATEWAY)])


def test_in_host_mode_the_host_s_own_file_counts() -> None:
    text = hosts_of_host("127.0.0.1 localhost\n192.0.2.1 me\n", [("here", HOST_GATEWAY)])
    assert text == "127.0.0.1 localhost\n192.0.2.1 me\n127.0.0.1\there\n"
    assert "localhost" in hosts_of_host("")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("db:192.0.2.7", ("db", "192.0.2.7")),
        ("db=192.0.2.7", ("db", "192.0.2.7")),
        ("db:2001:db8::1", ("db", "2001:db8::1")),
        ("db=[2001:db8::1]", ("db", "2001:db8::1")),
        ("me:host-gateway", ("me", HOST_GATEWAY)),
    ],
)
def test_added_hosts_have_several_forms(text: str, expected: tuple[str, str]) -> None:
    assert parse_extra_host(text) == expected


@pytest.mark.parametrize("text", ["", "db", "db:", ":192.0.2.7", "db:nowhere", "d b:192.0.2.7", "a\nb:192.0.2.7"])
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(InvalidHost) as caught:
        parse_extra_host(text)
    assert caught.value.exit_code == 125


def test_a_name_is_no_nameserver() -> None:
    assert check_nameserver("2001:db8::53") == "2001:db8::53"
    with pytest.raises(InvalidHost):
        check_nameserver("dns.example")


HOST = """# comment
nameserver 127.0.0.53
nameserver 192.0.2.53 ; the real one
nameserver ::1
nameserver 2001:db8::53
domain old.example
search corp.example lan
options edns0 ndots:2
"""


def test_nameservers_on_the_host_s_loopback_are_left_out() -> None:
    assert resolv_conf(HOST) == (
        "nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch corp.example lan\noptions edns0 ndots:2\n"
    )


def test_with_the_host_s_network_all_nameservers_stay() -> None:
    assert "127.0.0.53" in resolv_conf(HOST, own=False)


def test_when_none_is_left_public_ones_serve() -> None:
    assert resolv_conf("nameserver 127.0.0.1\n") == "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"


def test_what_was_asked_for_replaces_what_the_host_has() -> None:
    text = resolv_conf(HOST, ["127.0.0.11"], ["."], ["ndots:1"])
    assert text == "nameserver 127.0.0.11\noptions ndots:1\n"


def test_systemd_s_stub_is_recognised() -> None:
    assert asks_only_stub("nameserver 127.0.0.53\noptions edns0\n")
    assert not asks_only_stub(HOST)
