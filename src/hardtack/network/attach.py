"""One container's way out: reserved in the database, set up in the kernel, taken down, shown.

`reserve` and `release` change rows inside the caller's transaction, `setup`, `withdraw` and `unlink` change the kernel
and hold no lock while they do. Every step may be repeated, also by another process after a crash: what has to be undone
follows from the rows.
"""

from __future__ import annotations

import errno
import os

from hardtack.linux import nfnetlink, rtnetlink
from hardtack.linux.netlink import Netlink, NetlinkError
from hardtack.linux.netns import Inside
from hardtack.network import bridge, pool, rules
from hardtack.network.attachment import Attachment, parse_mode
from hardtack.network.errors import (
    AddressesExhausted,
    AddressUnusable,
    NetworkUnknown,
    NoFreePort,
    PortAllocated,
    SetupFailed,
)
from hardtack.network.ports import ANY, Port, Publish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hardtack.network.bridge import Network
    from hardtack.store.root import Root
    from hardtack.store.sqlite import Connection

__all__ = ["Attachment", "parse_mode", "reserve", "reserve_ports", "setup", "teardown"]

INTERFACE = "eth0"
EPHEMERAL = (32768, 60999)

_FIRST_OFFSET = 2  # 0 is the network, 1 the gateway


def reserve(
    db: Connection,
    root: Root,
    container_id: str,
    mode: str,
    ports: Iterable[Publish] = (),
    aliases: Iterable[str] = (),
) -> Attachment:
    """Give a container an address and host ports; call it inside a transaction, which decides whether it counts.

    What a life of the same container that was not cleaned up still holds is taken over; `setup` removes its remains.

    Args:
        mode: a value of --network.
    Raises:
        PortAllocated, NoFreePort, AddressUnusable: a port cannot be had.
        AddressesExhausted, NoPool: no address is left.
        NetworkUnknown: no such mode. User-defined networks are not there yet.
        SetupFailed: the bridge was missing and could not be made.
    """
    attachment = Attachment(container_id, *parse_mode(mode))
    if attachment.mode != "bridge":
        return attachment
    network = bridge.find_network(db, bridge.DEFAULT)
    if network is None:
        raise NetworkUnknown(bridge.DEFAULT)
    if network.subnet is None or not rtnetlink.link_index(network.bridge):
        bridge.settle(db, root, network, attachment.warnings)
    attachment.network = network
    attachment.stale_ports = _port_rows(db, container_id)
    attachment.stale_links = release(db, container_id)
    attachment.endpoint_id = os.urandom(32).hex()
    attachment.link = f"tv-{attachment.endpoint_id[:12]}"
    attachment.aliases = list(aliases)
    _reserve_address(db, network, attachment)
    try:
        for publish in ports:
            _reserve_port(db, attachment, publish)
    except BaseException:
        attachment.close()
        raise
    return attachment


def reserve_ports(attachment: Attachment) -> list[int]:
    """Hold the ports of an attachment in this process too, as one that adopts a container does.

    Returns:
        The descriptors, which belong to the attachment.
    Raises:
        PortAllocated, AddressUnusable: somebody took one meanwhile.
    """
    from hardtack.network.reservation import hold

    for port in attachment.ports:
        held = hold(port.protocol, port.host_address, port.host_port)
        if held is not None:
            attachment.sockets.append(held)
    return [held.fileno() for held in attachment.sockets]


def setup(root: Root, attachment: Attachment, netns_fd: int) -> None:
    """Make in the kernel what was reserved: the loopback interface, the link, addresses, routes, published ports.

    Args:
        netns_fd: the container's network namespace; not looked at in host and container mode.
    Raises:
        SetupFailed: the kernel refused; what had been made is undone, the rows stay for `teardown`.
    """
    if attachment.mode in ("host", "container"):
        return
    try:
        if attachment.mode == "none":
            with Inside(netns_fd), Netlink() as inside:
                inside.execute(rtnetlink.set_up(1))
            return
        _setup_bridged(root, attachment, netns_fd)
    except NetlinkError as error:
        unlink([attachment.link])
        hint = "Run it as root" if error.errno == errno.EPERM else ""
        raise SetupFailed("set up the container's network", str(error), hint) from error
    except BaseException:
        unlink([attachment.link])
        raise


def withdraw(db: Connection, root: Root, container_id: str) -> None:
    """Stop publishing a container's ports in the kernel. Do it before `release`, so that no later owner is hit."""
    _unpublish(root, _port_rows(db, container_id))


def release(db: Connection, container_id: str, link: str = "") -> list[str]:
    """Free a container's addresses and ports; inside the caller's transaction.

    Args:
        link: only if the container still has this link, so that a late clean-up of one life spares the next.
    Returns:
        The interfaces that remain, for `unlink`; their namespace takes them along when it ends.
    """
    links = [row[0] for row in db.execute("SELECT link FROM endpoint WHERE container = ?", (container_id,))]
    if link and link not in links:
        return []
    db.execute("DELETE FROM endpoint WHERE container = ?", (container_id,))
    db.execute("DELETE FROM port WHERE container = ?", (container_id,))
    return links


def unlink(links: Iterable[str]) -> None:
    """Remove interfaces from the kernel; those that are gone are no error. It waits for the kernel, some 20 ms."""
    with Netlink() as netlink:
        for link in links:
            if not link:
                continue
            try:
                netlink.execute(rtnetlink.delete_link(link))
            except NetlinkError as error:
                if error.errno != errno.ENODEV:
                    raise


def teardown(root: Root, container_id: str, namespace_ends: bool = False) -> None:
    """Take down everything that a container has of the network, from any process, as often as wanted.

    Args:
        namespace_ends: the container's namespace is about to end and takes the link along, which is cheaper.
    """
    db = root.db
    known = db.execute("SELECT 1 FROM endpoint WHERE container = ?", (container_id,)).fetchone()
    if known is None and db.execute("SELECT 1 FROM port WHERE container = ?", (container_id,)).fetchone() is None:
        return
    withdraw(db, root, container_id)
    with root.transaction() as db:
        links = release(db, container_id)
    if not namespace_ends:
        unlink(links)


def _reserve_address(db: Connection, network: Network, attachment: Attachment) -> None:
    """The next free address after the one given last: an address rests before somebody else answers under it."""
    subnet = network.subnet
    assert subnet is not None
    last = db.execute("SELECT last FROM network WHERE id = ?", (network.id,)).fetchone()[0]
    span = subnet.size - 1 - _FIRST_OFFSET  # without the broadcast address
    for step in range(span):
        offset = _FIRST_OFFSET + (max(last + 1, _FIRST_OFFSET) - _FIRST_OFFSET + step) % span
        found = db.execute("SELECT 1 FROM endpoint WHERE network = ? AND address = ?", (network.id, offset))
        if found.fetchone() is None:
            break
    else:
        raise AddressesExhausted(network.name, str(subnet))
    attachment.address = subnet.address(offset)
    attachment.mac = pool.mac_of(attachment.address)
    from hardtack.jsontext import dumps

    db.execute(
        "INSERT INTO endpoint (container, network, id, link, address, aliases) VALUES (?, ?, ?, ?, ?, ?)",
        (
            attachment.container,
            network.id,
            attachment.endpoint_id,
            attachment.link,
            offset,
            dumps(attachment.aliases),
        ),
    )
    db.execute("UPDATE network SET last = ? WHERE id = ?", (offset, network.id))


def _reserve_port(db: Connection, attachment: Attachment, publish: Publish) -> None:
    """One port: the given one, the first free one of a range, or any free one from a random start."""
    address = publish.host_address or ANY
    if ":" in address:
        hint = f"Give an IPv4 address, or none: {publish.first or 'PORT'}:{publish.container_port}"
        raise AddressUnusable(f"[{address}]", "the default bridge has no IPv6", hint)
    first, last = (publish.first, publish.last) if publish.first else EPHEMERAL
    count = last - first + 1
    start = 0 if publish.first else int.from_bytes(os.urandom(4), "big") % count
    for step in range(count):
        port = Port(publish.protocol, address, first + (start + step) % count, publish.container_port)
        try:
            _take_port(db, attachment, port)
        except PortAllocated:
            if count == 1:
                raise
        else:
            return
    raise NoFreePort(first, last, publish.protocol)


def _take_port(db: Connection, attachment: Attachment, port: Port) -> None:
    from hardtack.network.reservation import hold

    query = "SELECT container, host_address FROM port WHERE protocol = ? AND host_port = ?"
    for container, address in db.execute(query, (port.protocol, port.host_port)):
        if address == port.host_address or ANY in (address, port.host_address):
            raise PortAllocated(port.host_address, port.host_port, port.protocol, container)
    held = hold(port.protocol, port.host_address, port.host_port)
    if held is not None:
        attachment.sockets.append(held)
    db.execute(
        "INSERT INTO port (protocol, host_port, host_address, container, container_port) VALUES (?, ?, ?, ?, ?)",
        (port.protocol, port.host_port, port.host_address, attachment.container, port.container_port),
    )
    attachment.ports.append(port)


def _setup_bridged(root: Root, attachment: Attachment, netns_fd: int) -> None:
    network = attachment.network
    assert network is not None
    if attachment.stale_links or attachment.stale_ports:
        _unpublish(root, attachment.stale_ports)
        unlink(attachment.stale_links)
    own_ipv6 = [] if not bridge.has_ipv6() else [rtnetlink.without_own_ipv6]
    _make_link(root, attachment, network, netns_fd)
    link = attachment.link
    hairpin = [rtnetlink.set_hairpin(link)] if attachment.ports else []
    with Netlink() as outside:
        outside.execute(*[make(link) for make in own_ipv6], *hairpin, rtnetlink.set_up(link))
    with Inside(netns_fd):
        inside = Netlink()
        index = rtnetlink.link_index(INTERFACE)
    with inside:
        inside.execute(
            rtnetlink.set_up(1),
            *[make(index) for make in own_ipv6],
            rtnetlink.set_up(index),
            rtnetlink.add_address(index, attachment.address, attachment.prefix),
            rtnetlink.add_route(network.gateway),
        )
    _publish(root, attachment, network)


def _make_link(root: Root, attachment: Attachment, network: Network, netns_fd: int) -> None:
    """The pair of interfaces; a bridge that somebody removed since it was seen is made again, once."""
    for attempt in (1, 2):
        master = rtnetlink.link_index(network.bridge)
        try:
            with Netlink() as outside:
                if not master:
                    raise NetlinkError(errno.ENODEV, f"find the bridge {network.bridge}")
                outside.execute(rtnetlink.create_veth(attachment.link, master, INTERFACE, attachment.mac, netns_fd))
        except NetlinkError as error:
            if attempt == 2 or error.errno not in (errno.ENODEV, errno.ENXIO, errno.EINVAL):
                raise
            bridge.restore(root.db, root, network)
        else:
            return


def _publish(root: Root, attachment: Attachment, network: Network) -> None:
    """Put the ports into the table's maps; where the table is gone, it comes back with all ports of the root."""
    table = rules.table_of(root.id)
    if not attachment.ports:
        if not nfnetlink.has_chain(table, rules.MARK):
            bridge.restore(root.db, root, network)
        return
    elements = [rules.element(port, attachment.address) for port in attachment.ports]
    try:
        nfnetlink.add_elements(table, elements)
    except NetlinkError as error:
        if error.errno == errno.ENOENT:
            bridge.restore(root.db, root, network)
        elif error.errno == errno.EEXIST:  # the remains of somebody who died; the rows say the ports are ours
            nfnetlink.remove_elements(table, elements)
        else:
            raise
        nfnetlink.add_elements(table, elements)
    for port in attachment.ports:
        if port.protocol == "udp":
            nfnetlink.forget_flows(rules.protocol_number("udp"), port.host_port)


def _unpublish(root: Root, ports: list[Port]) -> None:
    if not ports:
        return
    nfnetlink.remove_elements(rules.table_of(root.id), [rules.element(port, "") for port in ports])
    for port in ports:
        if port.protocol == "udp":
            nfnetlink.forget_flows(rules.protocol_number("udp"), port.host_port)


def _port_rows(db: Connection, container_id: str) -> list[Port]:
    query = "SELECT protocol, host_address, host_port, container_port FROM port WHERE container = ?"
    return [Port(*row) for row in db.execute(query, (container_id,))]
