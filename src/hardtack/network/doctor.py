"""What on this host would keep containers from the network, told before somebody wonders: for `info`.

Our rules never overrule another table's, so a firewall that drops what is forwarded keeps the last word. That is meant,
and a person has to be told.
"""

from __future__ import annotations

from hardtack.linux import nftables
from hardtack.linux.netlink import NetlinkError
from hardtack.linux.nfnetlink import has_chain
from hardtack.network.bridge import FORWARDING_OFF
from hardtack.network.rules import table_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.store.root import Root


def warnings(root: Root) -> list[str]:
    """One line for each obstacle; empty where there is none, or where this process may not look."""
    found = []
    try:
        with open("/proc/sys/net/ipv4/ip_forward", "rb") as file:
            if file.read(1) == b"0" and root.db.execute("SELECT 1 FROM endpoint LIMIT 1").fetchone():
                found.append(FORWARDING_OFF)
    except OSError:
        pass
    try:
        has_chain(table_of(root.id), "")
    except NetlinkError:  # we may not ask; libnftables would write about that to standard error
        return found
    try:
        text = nftables.run("list chains")
    except nftables.NftablesError as error:
        if not error.ruleset:
            found.append(f"networks of containers need libnftables: {error}. Install it (Debian: libnftables1)")
        return found
    for table, chain in dropping(text):
        if table.rpartition(" ")[2] != table_of(root.id):
            found.append(
                f"the firewall chain {chain} of table {table} drops what is forwarded unless it is allowed there. Allow"
                " the interfaces tk-*, or containers reach no other host and none reaches their published ports"
            )
    return found


def dropping(listing: str) -> list[tuple[str, str]]:
    """The chains that drop forwarded packets by default, as table ("ip filter") and chain.

    Args:
        listing: what `nft list chains` prints.
    """
    found = []
    table = chain = ""
    for line in listing.splitlines():
        words = line.replace("{", " ").split()
        if words[:1] == ["table"]:
            table = " ".join(words[1:3])
        elif words[:1] == ["chain"]:
            chain = words[1]
        elif "hook forward" in line and "policy drop" in line and not table.startswith(("bridge", "arp", "netdev")):
            found.append((table, chain))
    return found
