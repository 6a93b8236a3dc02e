"""Addresses and ports through the lives of containers: given once, conflicts named, crashes undone, flushes mended."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hardtack.linux import netns, nftables, rtnetlink
from hardtack.linux.netlink import Netlink
from hardtack.network import attach, bridge
from hardtack.network.errors import AddressUnusable, NetworkUnknown, NoFreePort, PortAllocated, SetupFailed
from hardtack.network.ports import parse_publish
from hardtack.network.published import published
from hardtack.network.rules import table_of
from hardtack.network.settings import inspect_network, settings
from hardtack.network.world import StillAttached, destroy_world, leftovers
from hardtack.store.root import Root
from support.boxes import Box
from support.hosts import UPLINK, Host, cannot_reach, listen, my_namespace, reach

Start = Callable[..., Box]


def remains(root: Root) -> tuple[int, int, int]:
    """Attachments in the database, ports in the database, interfaces in the kernel."""
    db = root.db
    with Netlink() as netlink:
        links = [link for link in rtnetlink.links(netlink) if link.name.startswith("tv-")]
    counts = [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("endpoint", "port")]
    return counts[0], counts[1], len(links)


def listed(root: Root) -> str:
    return nftables.run(f"list map inet {table_of(root.id)} published")


@pytest.mark.parametrize("wanted", ["8080:80", "127.0.0.1:8080:80", f"{UPLINK}:8080:80"])
def test_a_port_of_another_container_is_refused_in_docker_s_words(world: Root, start: Start, wanted: str) -> None:
    holder = start(world, "8080:80")
    with pytest.raises(PortAllocated, match="failed: port is already allocated") as caught:
        start(world, wanted)
    assert caught.value.container == holder.id
    assert caught.value.exit_code == 125
    assert remains(world) == (1, 1, 1), "the loser leaves nothing"
    start(world, "8080:80/udp")
    holder.end()
    start(world, wanted)


def test_different_addresses_share_a_port_number(world: Root, start: Start) -> None:
    start(world, "127.0.0.1:8080:80")
    start(world, f"{UPLINK}:8080:80")
    with pytest.raises(PortAllocated):
        start(world, "8080:80")


def test_a_port_of_another_program_is_refused_and_ours_are_kept_from_others(
    host: Host, world: Root, start: Start
) -> None:
    with listen(host.here, "127.0.0.1", 8080), pytest.raises(PortAllocated, match=r"Bind for 0.0.0.0:8080 failed"):
        start(world, "8080:80")
    box = start(world, "8080:80", "5353:53/udp")
    with pytest.raises(OSError, match="in use"):
        listen(host.here, "0.0.0.0", 8080)
    with pytest.raises(OSError, match="in use"):
        listen(host.here, "0.0.0.0", 5353, socket.SOCK_DGRAM)
    box.end()
    listen(host.here, "0.0.0.0", 8080).close()


def test_connections_that_linger_do_not_hold_a_port(host: Host, world: Root, start: Start) -> None:
    with listen(host.here, "127.0.0.1", 8080) as server:
        reach(host.here, "127.0.0.1", 8080, server)
    start(world, "8080:80")


def test_where_nothing_is_translated_a_client_is_refused_at_once(host: Host, world: Root, start: Start) -> None:
    start(world, "8080:80")
    nftables.run("flush ruleset")
    before = time.monotonic()
    assert cannot_reach(host.here, "127.0.0.1", 8080, seconds=5)
    assert time.monotonic() - before < 1


def test_an_unnamed_host_port_is_any_free_one(world: Root, start: Start) -> None:
    found = {start(world, "80").host_port() for _ in range(8)}
    assert len(found) == 8
    assert all(32768 <= port <= 60999 for port in found)


def test_of_a_range_the_first_free_port_is_taken(host: Host, world: Root, start: Start) -> None:
    with listen(host.here, "0.0.0.0", 8001):
        assert [start(world, "8000-8002:80").host_port() for _ in range(2)] == [8000, 8002]
        with pytest.raises(NoFreePort):
            start(world, "8000-8002:80")


def test_a_host_address_has_to_be_one_of_the_host(world: Root, start: Start) -> None:
    with pytest.raises(AddressUnusable, match="no such address"):
        start(world, "198.51.100.77:8080:80")
    with pytest.raises(AddressUnusable, match="IPv6"):
        start(world, "[::1]:8080:80")


def test_an_address_rests_before_it_is_given_again(world: Root, start: Start) -> None:
    first = start(world)
    first.end()
    second = start(world)
    assert first.address.endswith(".2") and second.address.endswith(".3")


def test_an_unknown_network_is_named(world: Root) -> None:
    with pytest.raises(NetworkUnknown, match="network nowhere not found"), world.transaction() as db:
        attach.reserve(db, world, "a" * 64, "nowhere")


def test_other_modes_need_nothing(world: Root) -> None:
    for mode in ("host", "none", "container:web"):
        with world.transaction() as db:
            attachment = attach.reserve(db, world, "a" * 64, mode)
        descriptor = netns.create()
        attach.setup(world, attachment, descriptor)
        os.close(descriptor)
    assert attachment.target == "web"
    assert remains(world) == (0, 0, 0)


def test_teardown_may_happen_twice_and_from_another_process(world: Root, start: Start) -> None:
    box = start(world, "8080:80")
    pid = os.fork()
    if pid == 0:
        attach.teardown(world, box.id)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    attach.teardown(world, box.id)
    assert remains(world) == (0, 0, 0)
    assert "elements" not in listed(world)


def test_a_new_life_takes_over_what_a_dead_one_left(world: Root, start: Start) -> None:
    dead = start(world, "8080:80", "9090:90")
    dead.attachment.close()  # its process died, nothing was taken down
    alive = start(world, "8080:80", ident=dead.id)
    assert remains(world) == (1, 1, 1)
    assert f"tcp . 8080 : {alive.address} . 80" in listed(world)
    assert "9090" not in listed(world)
    with listen(alive.namespace, "0.0.0.0", 80) as server:
        assert reach(alive.namespace, "127.0.0.1", 80, server)


def test_a_late_clean_up_of_one_life_spares_the_next(world: Root, start: Start) -> None:
    dead = start(world, "8080:80")
    dead.attachment.close()
    alive = start(world, "8080:80", ident=dead.id)
    with world.transaction() as db:
        assert attach.release(db, dead.id, dead.attachment.link) == []
    assert remains(world) == (1, 1, 1)
    assert alive.attachment.link != dead.attachment.link


def test_what_was_set_up_by_half_is_undone(world: Root, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attach, "_publish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    home = my_namespace()
    with pytest.raises(KeyboardInterrupt):
        start(world, "8080:80")
    assert remains(world) == (1, 1, 0), "the rows stay for teardown, the kernel is clean"
    assert my_namespace() == home


def test_a_namespace_that_is_none_is_an_error_with_a_reason(world: Root) -> None:
    with world.transaction() as db:
        attachment = attach.reserve(db, world, "a" * 64, "bridge")
    null = os.open("/dev/null", os.O_RDONLY)
    with pytest.raises(SetupFailed, match="cannot set up the container's network: cannot create the link"):
        attach.setup(world, attachment, null)
    os.close(null)
    assert remains(world)[2] == 0


def test_after_a_flush_the_next_start_publishes_everybody_s_ports_again(host: Host, world: Root, start: Start) -> None:
    box = start(world, "8080:80")
    for ports in ((), ("9090:90",)):
        nftables.run("flush ruleset")
        start(world, *ports)
        with listen(box.namespace, "0.0.0.0", 80) as server:
            assert reach(host.here, UPLINK, 8080, server)


def test_a_bridge_that_somebody_removed_comes_back(host: Host, world: Root, start: Start) -> None:
    start(world)
    with world.transaction() as db:
        attachment = attach.reserve(db, world, "b" * 64, "bridge")
    with Netlink() as netlink:
        netlink.execute(rtnetlink.delete_link(bridge.bridge_name(world.id)))
    descriptor = netns.create()
    attach.setup(world, attachment, descriptor)
    with listen(descriptor, "0.0.0.0", 80) as server:
        assert reach(host.here, attachment.address, 80, server)
    os.close(descriptor)


def test_the_host_forwards_once_a_container_needs_it(world: Root, start: Start) -> None:
    forward = Path("/proc/sys/net/ipv4/ip_forward")
    forward.write_text("0")
    box = start(world)
    assert forward.read_text().strip() == "1"
    assert box.attachment.warnings == []


def test_a_range_that_the_host_meanwhile_routes_is_exchanged(host: Host, world: Root, start: Start) -> None:
    box = start(world)
    before = box.attachment.address
    box.end()
    assert destroy_world(world)
    with Netlink() as netlink:
        netlink.execute(rtnetlink.add_route("192.0.2.9", destination="172.16.0.0", prefix=12))
    after = start(world)
    assert before.startswith("172.") and after.address.startswith("10.")


def test_two_roots_that_choose_at_once_choose_differently(host: Host, make_root: Callable[[], Root]) -> None:
    roots = [make_root() for _ in range(4)]
    readers = []
    for number, root in enumerate(roots):
        root.id = f"{number}0000000"  # all begin their search at the same place
        Path(root.path, "id").write_text(root.id)
        reader, writer = os.pipe()
        readers.append(reader)
        if os.fork() == 0:
            with root.transaction() as db:
                attachment = attach.reserve(db, root, "a" * 64, "bridge")
            os.write(writer, str(attachment.network.subnet if attachment.network else "").encode())
            os._exit(0)
        os.close(writer)
    found = {os.read(reader, 100) for reader in readers}
    for _ in roots:
        os.wait()
    assert len(found) == 4 and b"" not in found


def test_the_world_ends_when_nobody_is_in_it(world: Root, start: Start) -> None:
    box = start(world, "8080:80")
    with pytest.raises(StillAttached):
        destroy_world(world)
    box.end()
    assert leftovers(world) == []
    assert destroy_world(world)
    assert not destroy_world(world)
    assert rtnetlink.link_index(bridge.bridge_name(world.id)) == 0
    assert table_of(world.id) not in nftables.run("list tables")


def test_the_world_of_a_root_that_was_thrown_away_goes_with_the_next_start(
    host: Host, make_root: Callable[[], Root], start: Start
) -> None:
    gone, kept, used, new = (make_root() for _ in range(4))
    start(gone).end()
    start(kept).end()
    start(used)
    for root in (gone, used):
        os.unlink(f"{root.path}/id")
    start(new)
    there = {root.id: bool(rtnetlink.link_index(bridge.bridge_name(root.id))) for root in (gone, kept, used, new)}
    assert there == {gone.id: False, kept.id: True, used.id: True, new.id: True}
    tables = nftables.run("list tables")
    assert [table_of(root.id) in tables for root in (gone, kept, used, new)] == [False, True, True, True]


def test_settings_are_docker_s(world: Root, start: Start) -> None:
    box = start(world, "8080:80", "127.0.0.1:5353:53/udp")
    found = settings(world.db, box.id, "bridge", ["80/tcp", "443/tcp"])
    assert found["Ports"] == {
        "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}],
        "443/tcp": None,
        "53/udp": [{"HostIp": "127.0.0.1", "HostPort": "5353"}],
    }
    assert found["IPAddress"] == found["Networks"]["bridge"]["IPAddress"] == box.address
    assert found["Gateway"] == box.attachment.gateway and found["IPPrefixLen"] == 20
    assert found["Networks"]["bridge"]["MacAddress"] == box.attachment.mac
    network = inspect_network(world, "bridge")
    assert network["Containers"][box.id]["IPv4Address"] == f"{box.address}/20"
    assert inspect_network(world, network["Id"][:8])["Name"] == "bridge"
    assert [port.host_port for port in published(world.db)[box.id]] == [5353, 8080]
    stopped = settings(world.db, "f" * 64, "bridge")
    assert stopped["Ports"] == {} and stopped["Networks"]["bridge"]["IPAddress"] == ""
    assert list(settings(world.db, "f" * 64, "host")["Networks"]) == ["host"]
    assert settings(world.db, "f" * 64, "container:x")["Networks"] == {}


def test_sixty_four_at_once_get_different_addresses_and_ports(host: Host, world: Root, start: Start) -> None:
    start(world)
    count, readers, pids = 64, [], []
    for number in range(count):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            try:
                with world.transaction() as db:
                    attachment = attach.reserve(db, world, f"{number:064x}", "bridge", parse_publish("80"))
                attach.setup(world, attachment, netns.create())
                answer = [attachment.address, attachment.ports[0].host_port]
                attachment.close()
                attach.teardown(world, attachment.container, namespace_ends=number % 2 == 0)
                os.write(writer, json.dumps(answer).encode())
            finally:
                os._exit(0)
        os.close(writer)
        readers.append(reader)
        pids.append(pid)
    answers = [json.loads(os.read(reader, 200)) for reader in readers]
    for pid in pids:
        os.waitpid(pid, 0)
    assert len({address for address, _ in answers}) == count, "an address rests, so none comes twice"
    assert len({port for _, port in answers}) >= count - 2, "a port may come again after its release"
    assert remains(world)[:2] == (1, 0)
    assert "elements" not in listed(world)


@pytest.mark.faults
def test_killed_at_any_moment_nothing_is_left_after_teardown(host: Host, world: Root, start: Start) -> None:
    start(world)
    dice = random.Random(7)
    for round_number in range(40):
        pid = os.fork()
        if pid == 0:
            with world.transaction() as db:
                attachment = attach.reserve(db, world, f"{round_number:064x}", "bridge", parse_publish("8080:80"))
            attach.setup(world, attachment, netns.create())
            signal.pause()
        time.sleep(dice.uniform(0, 0.006))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        attach.teardown(world, f"{round_number:064x}")
        assert remains(world)[:2] == (1, 0)
        assert "elements" not in listed(world)
    deadline = time.monotonic() + 5  # namespaces of the killed end in the kernel's own time
    while remains(world)[2] > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert remains(world)[2] == 1
    assert leftovers(world) == []
