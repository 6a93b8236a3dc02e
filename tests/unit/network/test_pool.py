"""Which range of addresses a root's bridge takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hardtack.network.pool import Subnet, choose, dotted, mac_of, number


def routed(*texts: str) -> list[tuple[int, int]]:
    return [(Subnet.parse(text).first, Subnet.parse(text).prefix) for text in texts]


def test_the_search_begins_at_a_place_that_follows_from_the_root() -> None:
    found = {str(choose(root_id, [])) for root_id in ("00000000", "00000001", "deadbeef")}
    assert len(found) == 3
    assert str(choose("deadbeef", [])) == str(choose("deadbeef", []))


def test_a_range_never_meets_what_the_host_routes() -> None:
    routes = routed("172.16.0.0/13", "172.28.0.0/16", "192.0.2.0/24", "172.24.16.7/32")
    for seed in range(300):
        chosen = choose(f"{seed:08x}", routes)
        assert chosen is not None
        assert not any(chosen.overlaps(item) for item in routes)


def test_the_default_ranges_of_docker_and_podman_stay_free() -> None:
    for seed in range(256):
        chosen = choose(f"{seed:08x}", [])
        assert chosen is not None
        assert not chosen.overlaps(routed("172.17.0.0/16")[0])
    chosen = choose("00000180", routed("172.16.0.0/12"))
    assert chosen is not None and not chosen.overlaps(routed("10.88.0.0/15")[0])


def test_where_one_region_is_routed_the_next_one_serves() -> None:
    assert str(choose("00000000", routed("172.16.0.0/12"))).startswith("10.")
    assert str(choose("00000000", routed("172.16.0.0/12", "10.0.0.0/8"))).startswith("192.168.")


def test_routes_that_mean_everything_do_not_count() -> None:
    assert choose("00000000", routed("0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1")) is not None


def test_where_every_private_range_has_a_wide_route_the_narrower_one_of_the_bridge_wins() -> None:
    wide = routed("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
    narrow = routed("172.16.0.0/20")
    chosen = choose("00000000", wide + narrow)
    assert chosen is not None
    assert not chosen.overlaps(narrow[0])


def test_there_may_be_none_at_all() -> None:
    regions = [(number("172.16.0.0"), 12), (number("10.64.0.0"), 10), (number("192.168.0.0"), 16)]
    everything = [(first + (step << 15), 17) for first, prefix in regions for step in range(1 << (17 - prefix))]
    assert choose("00000000", everything) is None


def test_a_subnet_knows_its_gateway_and_its_addresses() -> None:
    subnet = Subnet.parse("172.20.16.0/20")
    assert (subnet.gateway, subnet.address(2), subnet.size) == ("172.20.16.1", "172.20.16.2", 4096)
    assert subnet.address(300) == "172.20.17.44"
    assert str(subnet) == "172.20.16.0/20"


def test_an_address_always_has_the_same_hardware_address() -> None:
    assert mac_of("172.17.0.2") == "02:42:ac:11:00:02"


@given(st.integers(0, (1 << 32) - 1))
def test_addresses_are_numbers_and_back(value: int) -> None:
    assert number(dotted(value)) == value
