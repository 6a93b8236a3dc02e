"""Netlink messages as bytes: what goes out is aligned, what comes in may be anything."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardtack.linux import rtnetlink
from hardtack.linux.netlink import Netlink, NetlinkError, attribute, attributes, nested, text, u32


@given(st.dictionaries(st.integers(1, 0x3FFF), st.binary(max_size=40), max_size=8))
def test_attributes_are_read_as_they_were_written(values: dict[int, bytes]) -> None:
    data = b"".join(attribute(kind, payload) for kind, payload in values.items())
    assert len(data) % 4 == 0
    assert attributes(data) == values


@given(st.binary(max_size=80), st.integers(0, 12))
def test_no_bytes_make_reading_attributes_fail_or_hang(data: bytes, start: int) -> None:
    for payload in attributes(data, start).values():
        assert len(payload) <= len(data)


def test_nested_attributes_are_marked_and_read_without_the_mark() -> None:
    data = nested(18, text(1, "veth"), u32(2, 7))
    (kind,) = struct.unpack_from("=H", data, 2)
    assert kind & 0x8000
    inner = attributes(attributes(data)[18])
    assert inner == {1: b"veth\0", 2: struct.pack("=I", 7)}


def test_the_kernel_s_refusal_says_what_was_tried_and_why() -> None:
    with Netlink() as netlink, pytest.raises(NetlinkError) as caught:
        netlink.execute(rtnetlink.delete_link("nobody-has-me"))
    assert caught.value.errno in (19, 1)
    assert "cannot delete the link nobody-has-me: " in str(caught.value)
    assert caught.value.tried == "delete the link nobody-has-me"


def test_of_several_requests_the_first_failure_is_told() -> None:
    with Netlink() as netlink, pytest.raises(NetlinkError, match="the link first-one"):
        netlink.execute(rtnetlink.delete_link("first-one"), rtnetlink.delete_link("second-one"))


def test_the_loopback_interface_is_listed() -> None:
    with Netlink() as netlink:
        found = {link.name: link for link in rtnetlink.links(netlink)}
        addresses = [item.address for item in rtnetlink.addresses(netlink) if item.index == found["lo"].index]
        routes = rtnetlink.routes(netlink)
    assert found["lo"].index == rtnetlink.link_index("lo") and found["lo"].mac == "00:00:00:00:00:00"
    if found["lo"].up:
        assert "127.0.0.1" in addresses
        assert any(route.destination.startswith("127.") and route.kind == 2 for route in routes)


def test_addresses_get_their_broadcast_address_or_no_delay() -> None:
    _, _, _, body = rtnetlink.add_address(3, "172.20.0.2", 20)
    assert attributes(body, 8)[4] == bytes((172, 20, 15, 255))
    _, _, _, body = rtnetlink.add_address(3, "fd00::2", 64)
    assert attributes(body, 8)[8] == struct.pack("=I", 2), "no search for duplicates"
