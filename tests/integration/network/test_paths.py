"""Who reaches whom: containers, their host, another host, on real packets. Each test costs some 50 ms."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from hardtack.linux import nftables, rtnetlink
from hardtack.linux.netlink import Netlink
from hardtack.linux.netns import Inside
from hardtack.network.doctor import warnings
from hardtack.network.pool import mac_of
from hardtack.network.rules import table_of
from hardtack.store.root import Root
from support.boxes import Box
from support.hosts import OUTSIDE, UPLINK, UPLINK_MAC, Host, cannot_reach, listen, reach, send_datagram

Start = Callable[..., Box]


@pytest.fixture(params=[True, False], ids=["bridged-frames-filtered", "bridged-frames-unfiltered"])
def bridging(request: pytest.FixtureRequest, host: Host) -> bool:
    """Both states of the switch that docker turns on for the whole host."""
    if not host.filter_bridged(request.param):
        pytest.skip("this kernel has no br_netfilter")
    return bool(request.param)


def test_containers_on_a_bridge_reach_each_other(world: Root, start: Start, bridging: bool) -> None:
    one, other = start(world), start(world)
    with listen(other.namespace, "0.0.0.0", 80) as server:
        assert reach(one.namespace, other.address, 80, server) == one.address


def test_what_leaves_the_host_carries_the_host_s_address(host: Host, world: Root, start: Start, bridging: bool) -> None:
    box = start(world)
    with listen(host.outside, OUTSIDE, 80) as server:
        assert reach(box.namespace, OUTSIDE, 80, server) == UPLINK


def test_a_published_port_is_reached_from_everywhere(host: Host, world: Root, start: Start, bridging: bool) -> None:
    box, other = start(world, "8080:80"), start(world)
    with listen(box.namespace, "0.0.0.0", 80) as server:
        assert reach(host.outside, UPLINK, 8080, server) == OUTSIDE, "the client's address stays visible"
        assert reach(host.here, "127.0.0.1", 8080, server) == box.attachment.gateway
        assert reach(host.here, UPLINK, 8080, server) == UPLINK
        assert reach(host.here, box.attachment.gateway, 8080, server)
        assert reach(other.namespace, UPLINK, 8080, server)
        assert reach(other.namespace, box.attachment.gateway, 8080, server)
        assert reach(box.namespace, UPLINK, 8080, server), "the container reaches itself by the host's address"


def test_a_port_published_on_loopback_is_the_host_s_alone(host: Host, world: Root, start: Start) -> None:
    box, other = start(world, "127.0.0.1:8080:80"), start(world)
    with listen(box.namespace, "0.0.0.0", 80) as server:
        assert reach(host.here, "127.0.0.1", 8080, server)
        assert cannot_reach(host.outside, UPLINK, 8080)
        assert cannot_reach(other.namespace, UPLINK, 8080)


def test_nobody_next_door_reaches_it_by_sending_for_127_0_0_1(host: Host, world: Root, start: Start) -> None:
    box, table = start(world, "127.0.0.1:5353:53/udp"), table_of(world.id)
    with listen(box.namespace, "0.0.0.0", 53, socket.SOCK_DGRAM) as server:
        send_datagram(host.outside, UPLINK_MAC, OUTSIDE, "127.0.0.1", 5353, b"one")
        nftables.run(f"flush chain inet {table} prerouting")
        nftables.run(f"add rule inet {table} prerouting fib daddr type local jump publish")
        send_datagram(host.outside, UPLINK_MAC, OUTSIDE, "127.0.0.1", 5353, b"two")
        assert server.recv(10) == b"two", "a rule of ours kept the first one out"


def test_a_port_published_on_one_address_is_not_on_the_others(host: Host, world: Root, start: Start) -> None:
    box = start(world, f"{UPLINK}:8080:80")
    with listen(box.namespace, "0.0.0.0", 80) as server:
        assert reach(host.outside, UPLINK, 8080, server) == OUTSIDE
        assert reach(host.here, UPLINK, 8080, server)
        assert cannot_reach(host.here, "127.0.0.1", 8080)
        assert cannot_reach(host.here, box.attachment.gateway, 8080)


def test_a_neighbour_with_a_route_reaches_no_port_past_its_publication(host: Host, world: Root, start: Start) -> None:
    box = start(world, "8080:80")
    with Inside(host.outside), Netlink() as netlink:
        netlink.execute(rtnetlink.add_route(UPLINK, destination=box.address, prefix=32))
    with listen(box.namespace, "0.0.0.0", 80), listen(box.namespace, "0.0.0.0", 22):
        assert cannot_reach(host.outside, box.address, 80)
        assert cannot_reach(host.outside, box.address, 22)
        nftables.run(f"flush chain inet {table_of(world.id)} forward")
        assert not cannot_reach(host.outside, box.address, 22), "it was our chain that kept it out"


def test_two_roots_never_meet_but_by_published_ports(
    host: Host, make_root: Callable[[], Root], start: Start, bridging: bool
) -> None:
    ours, theirs = start(make_root()), start(make_root(), "8080:80")
    with listen(theirs.namespace, "0.0.0.0", 80) as server:
        assert cannot_reach(ours.namespace, theirs.address, 80)
        assert reach(ours.namespace, UPLINK, 8080, server)


def test_a_container_never_reaches_the_host_s_loopback(host: Host, world: Root, start: Start) -> None:
    box = start(world)
    bridge_mac = mac_of(box.attachment.gateway)
    with listen(host.here, "127.0.0.1", 5432, socket.SOCK_DGRAM) as server:
        send_datagram(box.namespace, bridge_mac, box.address, "127.0.0.1", 5432, b"one")
        nftables.run(f"flush chain inet {table_of(world.id)} guard")
        send_datagram(box.namespace, bridge_mac, box.address, "127.0.0.1", 5432, b"two")
        assert server.recv(10) == b"two", "a rule of ours kept the first one out"


def test_the_host_s_own_firewall_keeps_the_last_word(host: Host, world: Root, start: Start) -> None:
    nftables.run("table ip mine { chain f { type filter hook forward priority 10; policy drop; }; }")
    before = nftables.run("list table ip mine")
    box = start(world, "8080:80")
    with listen(box.namespace, "0.0.0.0", 80), listen(host.outside, OUTSIDE, 80):
        assert cannot_reach(host.outside, UPLINK, 8080)
        assert cannot_reach(box.namespace, OUTSIDE, 80)
    assert nftables.run("list table ip mine") == before


def test_traffic_of_others_is_none_of_our_business(host: Host, world: Root, start: Start) -> None:
    start(world, "8080:80")
    with Inside() as visit, Netlink() as inside:
        pass
    with Netlink() as netlink:
        netlink.execute(rtnetlink.create_bridge("lan0", "02:00:00:00:03:01"))
        index = rtnetlink.link_index("lan0")
        netlink.execute(rtnetlink.create_veth("lan1", index, "eth0", "02:00:00:00:03:02", visit.descriptor))
        netlink.execute(
            rtnetlink.set_up("lan1"), rtnetlink.set_up(index), rtnetlink.add_address(index, "198.51.100.1", 24)
        )
    with Inside(visit.descriptor), Netlink() as inside:
        eth0 = rtnetlink.link_index("eth0")
        inside.execute(rtnetlink.set_up(eth0), rtnetlink.add_address(eth0, "198.51.100.2", 24))
        inside.execute(rtnetlink.add_route("198.51.100.1"))
    with Inside(host.outside), Netlink() as inside:
        inside.execute(rtnetlink.add_route(UPLINK, destination="198.51.100.0", prefix=24))
    with listen(visit.descriptor, "0.0.0.0", 80) as server:
        assert reach(host.outside, "198.51.100.2", 80, server) == OUTSIDE


def test_a_client_that_keeps_its_udp_port_reaches_a_container_that_comes_later(
    host: Host, world: Root, start: Start
) -> None:
    with Inside(host.outside):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with client:
        client.connect((UPLINK, 5353))
        client.settimeout(2)
        start(world)  # connection tracking begins with the table
        try:
            client.send(b"anybody?")
            client.recv(10)
        except OSError:
            pass
        box = start(world, "5353:53/udp")
        with listen(box.namespace, "0.0.0.0", 53, socket.SOCK_DGRAM) as server:
            client.send(b"now?")
            assert server.recvfrom(10) == (b"now?", client.getsockname())


def test_containers_without_ipv6_on_the_host_work(world: Root, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardtack.network.bridge.has_ipv6", lambda: False)
    Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1")
    one, other = start(world), start(world)
    with listen(other.namespace, "0.0.0.0", 80) as server:
        assert reach(one.namespace, other.address, 80, server)


def test_info_tells_of_a_firewall_that_keeps_containers_in(host: Host, world: Root, start: Start) -> None:
    assert warnings(world) == []
    start(world)
    assert warnings(world) == []
    nftables.run("table inet mine { chain f { type filter hook forward priority 10; policy drop; }; }")
    (said,) = warnings(world)
    assert "the firewall chain f of table inet mine" in said
    Path("/proc/sys/net/ipv4/ip_forward").write_text("0")
    assert "forwarding is disabled" in warnings(world)[0]
