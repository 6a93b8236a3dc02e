"""What all containers of a root share in the kernel: the bridge with its address, and the root's packet filter table.

Made once, by whoever comes first, under a lock that belongs to the host's network namespace; a bridge that can be seen
is finished. Everything follows from the database's rows, so what an administrator flushed is made again from them.
"""

from __future__ import annotations

import errno
import fcntl
import os

from hardtack.linux import rtnetlink
from hardtack.linux.netlink import Netlink, NetlinkError
from hardtack.linux.netns import current
from hardtack.linux.nfnetlink import has_chain
from hardtack.network import pool, rules
from hardtack.network.errors import NoPool, SetupFailed
from hardtack.network.ports import Port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hardtack.store.root import Root
    from hardtack.store.sqlite import Connection

DEFAULT = "bridge"
FORWARDING_OFF = "IPv4 forwarding is disabled and could not be enabled. Containers will not reach other hosts."

_RTN_UNICAST, _RTN_LOCAL = 1, 2
_FORWARD = "/proc/sys/net/ipv4/ip_forward"
_ALIAS = "hardtack "
"""What a bridge's alias begins with; the path of its root follows."""
_ALIAS_LIMIT = 240


class Network:
    """A network as its row tells it; `subnet` is None until its first container chose one."""

    __slots__ = ("bridge", "driver", "gateway", "id", "name", "subnet")

    def __init__(self, ident: str, name: str, driver: str, bridge: str, subnet: str, gateway: str) -> None:
        self.id = ident
        self.name = name
        self.driver = driver
        self.bridge = bridge
        self.subnet = pool.Subnet.parse(subnet) if subnet else None
        self.gateway = gateway


def bridge_name(root_id: str) -> str:
    """The interface name of a root's default bridge."""
    return f"tk-{root_id}"


def find_network(db: Connection, name: str) -> Network | None:
    """The network of this name."""
    row = db.execute("SELECT id, name, driver, bridge, subnet, gateway FROM network WHERE name = ?", (name,)).fetchone()
    return Network(*row) if row else None


def settle(db: Connection, root: Root, network: Network, warnings: list[str]) -> None:
    """Give a network its range and make its bridge, if either is missing; called inside the caller's transaction.

    A range that the host meanwhile reaches by another way is exchanged, since no container uses it while there is no
    bridge. The host's lock is held until the bridge's own route keeps others from choosing the same.

    Raises:
        NoPool: no range is free.
        SetupFailed: the kernel refused.
    """
    network.bridge = network.bridge or bridge_name(root.id)
    with HostLock(), Netlink() as netlink:
        if not rtnetlink.link_index(network.bridge):
            abandoned = _sweep(netlink)
            routed = _routed(netlink)
            if network.subnet is None or any(network.subnet.overlaps(item) for item in routed):
                network.subnet = pool.choose(root.id, routed)
            if network.subnet is None:
                raise NoPool
            network.gateway = network.subnet.gateway
            _install(db, root, network, abandoned)
            _make(netlink, root, network)
        elif network.subnet is None:  # a transaction that chose the range was rolled back, the bridge stayed
            index = rtnetlink.link_index(network.bridge)
            for address in rtnetlink.addresses(netlink):
                if address.index == index and address.family == rtnetlink.AF_INET:
                    first = pool.number(address.address) - 1
                    network.subnet = pool.Subnet(first, address.prefix)
                    network.gateway = address.address
    if network.subnet is None:
        raise SetupFailed(
            "use the bridge", f"{network.bridge} has no address", f"Remove it: ip link del {network.bridge}"
        )
    db.execute(
        "UPDATE network SET bridge = ?, subnet = ?, gateway = ? WHERE id = ?",
        (network.bridge, str(network.subnet), network.gateway, network.id),
    )
    enable_forwarding(warnings)


def restore(db: Connection, root: Root, network: Network) -> None:
    """Make the bridge and the table again from the rows, where they are missing.

    Raises:
        SetupFailed: the kernel refused.
    """
    with HostLock():
        if not has_chain(rules.table_of(root.id), rules.MARK):
            _install(db, root, network)
        if not rtnetlink.link_index(network.bridge):
            with Netlink() as netlink:
                _make(netlink, root, network)


def enable_forwarding(warnings: list[str]) -> None:
    """Let the host forward IPv4, as NAT needs; where that cannot be, a warning says so."""
    try:
        with open(_FORWARD, "r+b", buffering=0) as file:
            if file.read(1) == b"0":
                file.seek(0)
                file.write(b"1")
    except OSError:
        try:
            with open(_FORWARD, "rb", buffering=0) as file:
                enabled = file.read(1) != b"0"
        except OSError:
            enabled = False
        if not enabled:
            warnings.append(FORWARDING_OFF)


def has_ipv6() -> bool:
    """Whether this kernel has IPv6 at all."""
    return os.path.exists("/proc/sys/net/ipv6")


class HostLock:
    """One process at a time chooses ranges and makes bridges on this host, whatever its root.

    The lock lies on the network namespace itself: it needs no file and fits when a "host" is a namespace.
    """

    __slots__ = ("_descriptor",)

    def __enter__(self) -> HostLock:
        self._descriptor = current()
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _make(netlink: Netlink, root: Root, network: Network) -> None:
    """The bridge is prepared under another name and gets its own and comes up in one step."""
    if network.subnet is None:
        raise NoPool
    draft = f"tn-{network.bridge[3:]}"
    try:
        if rtnetlink.link_index(draft):  # somebody died here
            netlink.execute(rtnetlink.delete_link(draft))
        netlink.execute(rtnetlink.create_bridge(draft, pool.mac_of(network.gateway)))
        index = rtnetlink.link_index(draft)
        if has_ipv6():
            netlink.execute(rtnetlink.without_own_ipv6(draft))
        netlink.execute(rtnetlink.add_address(index, network.gateway, network.subnet.prefix))
        with open(f"/proc/sys/net/ipv4/conf/{draft}/route_localnet", "wb", buffering=0) as file:
            file.write(b"1")
        alias = _ALIAS + root.path if len(os.fsencode(root.path)) < _ALIAS_LIMIT else ""
        netlink.execute(rtnetlink.set_link(index, name=network.bridge, up=True, alias=alias))
    except OSError as error:
        hint = "Run it as root" if error.errno in (errno.EPERM, errno.EACCES) else ""
        why = str(error) if isinstance(error, NetlinkError) else (error.strerror or str(error)).lower()
        raise SetupFailed(f"make the bridge {network.bridge}", why, hint) from error


def _sweep(netlink: Netlink) -> list[str]:
    """Remove the bridges of roots that somebody has thrown away. Returns the roots' ids; their tables are still there.

    Only bridges without a port count. Should one be of a root that this process cannot see, its next start makes it
    again.
    """
    links = rtnetlink.links(netlink)
    masters = {link.master for link in links}
    found = []
    for link in links:
        if link.kind != "bridge" or link.index in masters or not link.alias.startswith(_ALIAS):
            continue
        ident = link.name.removeprefix("tk-")
        if ident == link.name or _is_root(link.alias.removeprefix(_ALIAS), ident):
            continue
        try:
            netlink.execute(rtnetlink.delete_link(link.name))
        except NetlinkError:  # not ours to remove, or gone
            continue
        found.append(ident)
    return found


def _is_root(path: str, ident: str) -> bool:
    try:
        with open(f"{path}/id", encoding="ascii") as file:
            return file.read().strip() == ident
    except (OSError, ValueError):
        return False


def _install(db: Connection, root: Root, network: Network, abandoned: Iterable[str] = ()) -> None:
    """The root's whole table: its networks, the one that is about to come up among them, and every published port.

    Args:
        abandoned: ids of roots whose tables go.
    """
    from hardtack.linux import nftables

    networks = {row[0]: row[1] for row in db.execute("SELECT bridge, subnet FROM network WHERE subnet <> ''")}
    networks[network.bridge] = str(network.subnet)
    try:
        ruleset = rules.render(root.id, networks.items(), _published(db))
        nftables.run_apart(ruleset + "".join(rules.remove(ident) for ident in abandoned))
    except nftables.NftablesError as error:
        hint = "" if error.ruleset else "Install libnftables (Debian: apt-get install libnftables1)"
        raise SetupFailed("prepare the packet filter", str(error), hint) from error


def _published(db: Connection) -> list[tuple[Port, str]]:
    query = (
        "SELECT port.protocol, port.host_address, port.host_port, port.container_port, network.subnet, endpoint.address"
        " FROM port JOIN endpoint USING (container) JOIN network ON network.id = endpoint.network"
        " WHERE endpoint.address > 0 AND network.subnet <> ''"
    )
    found = []
    for protocol, host_address, host_port, container_port, subnet, offset in db.execute(query):
        port = Port(protocol, host_address, host_port, container_port)
        found.append((port, pool.Subnet.parse(subnet).address(offset)))
    return found


def _routed(netlink: Netlink) -> list[pool.Range]:
    """What this host reaches by its routes, and its nameservers."""
    found = []
    for route in rtnetlink.routes(netlink):
        if route.kind in (_RTN_UNICAST, _RTN_LOCAL):
            found.append((pool.number(route.destination), route.prefix))
    try:
        with open("/etc/resolv.conf", encoding="utf-8", errors="replace") as file:
            lines = [line.split() for line in file]
    except OSError:
        lines = []
    for words in lines:
        if len(words) > 1 and words[0] == "nameserver" and words[1].replace(".", "").isdigit():
            found.append((pool.number(words[1]), 32))
    return found
