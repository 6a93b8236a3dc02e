"""The end of a root's network: everything that it has in the kernel goes, and nothing that is somebody else's."""

from __future__ import annotations

import errno

from hardtack.linux import nftables, rtnetlink
from hardtack.linux.netlink import Netlink, NetlinkError
from hardtack.linux.nfnetlink import has_chain
from hardtack.network import bridge, rules
from hardtack.network.errors import NetworkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.store.root import Root


class StillAttached(NetworkError):
    """Containers use the network, so it stays."""

    exit_code = 1

    def __init__(self, count: int) -> None:
        word = "container is" if count == 1 else "containers are"
        super().__init__(f"cannot remove the network: {count} {word} attached to it", "Stop what runs first")
        self.count = count


def destroy_world(root: Root, force: bool = False) -> bool:
    """Remove the bridges, their ports and the packet filter table of a root. The next container makes them again.

    Args:
        force: also while containers are attached; their rows go too.
    Returns:
        Whether there was anything.
    Raises:
        StillAttached: containers run, and `force` is not given.
        NetlinkError, NftablesError: the kernel refused.
    """
    # Inside the transaction, and in this order, as a start does: what reserves an address finds all or nothing of it.
    with root.transaction() as db, bridge.HostLock(), Netlink() as netlink:
        count = db.execute("SELECT count(*) FROM endpoint").fetchone()[0]
        if count and not force:
            raise StillAttached(count)
        db.execute("DELETE FROM port")
        db.execute("DELETE FROM endpoint")
        bridges = {row[0] for row in db.execute("SELECT bridge FROM network WHERE bridge <> ''")}
        bridges.add(bridge.bridge_name(root.id))
        found = _remove_links(netlink, bridges)
        if has_chain(rules.table_of(root.id), rules.MARK):
            nftables.run(rules.remove(root.id))
            found = True
    return found


def leftovers(root: Root) -> list[str]:
    """Ports of the root's bridges that no row knows: links whose namespace something still holds."""
    db = root.db
    bridges = [row[0] for row in db.execute("SELECT bridge FROM network WHERE bridge <> ''")]
    known = {row[0] for row in db.execute("SELECT link FROM endpoint")}
    indexes = {rtnetlink.link_index(name) for name in bridges} - {0}
    with Netlink() as netlink:
        return [link.name for link in rtnetlink.links(netlink) if link.master in indexes and link.name not in known]


def _remove_links(netlink: Netlink, bridges: set[str]) -> bool:
    links = rtnetlink.links(netlink)
    indexes = {link.index for link in links if link.name in bridges}
    doomed = [link.name for link in links if link.master in indexes] + [
        link.name for link in links if link.index in indexes
    ]
    for name in doomed:
        try:
            netlink.execute(rtnetlink.delete_link(name))
        except NetlinkError as error:
            if error.errno != errno.ENODEV:
                raise
    return bool(doomed)
