"""The ruleset as text, and a published port as the bytes that the kernel compares."""

from __future__ import annotations

from hardtack.network.ports import Port
from hardtack.network.rules import element, remove, render, table_of


def test_a_published_port_is_an_element_and_never_a_rule() -> None:
    few = render("aabbccdd", [("tk-aabbccdd", "172.20.0.0/20")], [])
    many = render(
        "aabbccdd",
        [("tk-aabbccdd", "172.20.0.0/20")],
        [(Port("tcp", "0.0.0.0", 1000 + step, 80), "172.20.0.2") for step in range(500)],
    )
    assert few.count("\n") == many.count("\n")


def test_all_addresses_and_one_address_go_into_different_maps() -> None:
    text = render(
        "aabbccdd",
        [("tk-aabbccdd", "172.20.0.0/20")],
        [(Port("tcp", "0.0.0.0", 8080, 80), "172.20.0.2"), (Port("udp", "127.0.0.1", 53, 5353), "172.20.0.3")],
    )
    assert "elements = { tcp . 8080 : 172.20.0.2 . 80 }" in text
    assert "elements = { 127.0.0.1 . udp . 53 : 172.20.0.3 . 5353 }" in text


def test_no_chain_drops_what_is_not_of_our_bridges() -> None:
    text = render("aabbccdd", [("tk-aabbccdd", "172.20.0.0/20")], [])
    assert "policy drop" not in text
    forward = text[text.index("chain forward") :]
    assert forward.index("oifname != @bridges return") < forward.index("drop")


def test_replacing_a_table_touches_no_other() -> None:
    for text in (render("aabbccdd", [], []), remove("aabbccdd")):
        named = [line for line in text.splitlines() if "table" in line]
        assert named and all(table_of("aabbccdd") in line for line in named)
        assert "flush" not in text


def test_elements_are_padded_fields_in_network_order() -> None:
    name, key, value = element(Port("tcp", "0.0.0.0", 8080, 80), "172.20.0.2")
    assert (name, key.hex(), value.hex()) == ("published", "060000001f900000", "ac14000200500000")
    name, key, value = element(Port("udp", "127.0.0.1", 53, 5353), "")
    assert (name, key.hex(), value) == ("published_at", "7f0000011100000000350000", b"")
