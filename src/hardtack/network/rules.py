"""The nftables ruleset of a root as text, and what a published port adds to it.

Pure. A published port is an element of a map, never a rule, so the ten-thousandth costs what the first did. All rules
live in one table of ours; other tables keep their say, because accepting here never overrules a drop there, and for
traffic that is not of our bridges every chain does nothing.
"""

from __future__ import annotations

from hardtack.network.ports import ANY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hardtack.linux.nfnetlink import Element
    from hardtack.network.ports import Port

MARK = "hardtack_1"
"""A chain whose presence says that the table is there in the form that this release writes."""

_NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132}

# Loopback addresses are special twice. A packet from outside for 127.0.0.1 would be translated before the kernel could
# refuse it, so publishing there counts only in `output`. And `route_localnet`, which answers to such connections need,
# would let containers reach the host's own loopback services, so what comes from a bridge for 127.0.0.0/8 is dropped.
_CHAINS = """
    chain {mark} {{
    }}
    chain guard {{
        type filter hook prerouting priority -300; policy accept;
        iifname @bridges ip daddr 127.0.0.0/8 drop
        iifname @bridges ip saddr 127.0.0.0/8 drop
    }}
    chain publish {{
        dnat ip to ip daddr . meta l4proto . th dport map @published_at
        dnat ip to meta l4proto . th dport map @published
    }}
    chain prerouting {{
        type nat hook prerouting priority -100; policy accept;
        ip daddr 127.0.0.0/8 return
        fib daddr type local jump publish
    }}
    chain output {{
        type nat hook output priority -100; policy accept;
        fib daddr type local jump publish
    }}
    chain postrouting {{
        type nat hook postrouting priority 100; policy accept;
        ip saddr @pools oifname != @bridges masquerade
        ip saddr @pools oifname @bridges ct status dnat masquerade
        ip saddr 127.0.0.0/8 oifname @bridges masquerade
    }}
    chain forward {{
        type filter hook forward priority 0; policy accept;
        oifname != @bridges return
        ct state established,related accept
        iifname . oifname @inside accept
        ct status dnat accept
        drop
    }}
"""


def table_of(root_id: str) -> str:
    """The name of a root's table."""
    return f"hardtack_{root_id}"


def render(root_id: str, networks: Iterable[tuple[str, str]], ports: Iterable[tuple[Port, str]]) -> str:
    """The whole ruleset of a root; applying it replaces the table in one step, whatever was in it.

    Args:
        networks: interface name of the bridge and its range, for each network that is up.
        ports: every published port with the container address that answers it.
    """
    networks = list(networks)
    bridges = [f'"{bridge}"' for bridge, _ in networks]
    anywhere, at = [], []
    for port, address in ports:
        target = f"{port.protocol} . {port.host_port} : {address} . {port.container_port}"
        if port.host_address == ANY:
            anywhere.append(target)
        else:
            at.append(f"{port.host_address} . {target}")
    table = f"table inet {table_of(root_id)}"
    parts = [
        f"add {table}\ndelete {table}\n{table} {{",
        _collection("set bridges", "type ifname;", bridges),
        _collection("set inside", "type ifname . ifname;", [f"{name} . {name}" for name in bridges]),
        _collection("set pools", "type ipv4_addr; flags interval;", [subnet for _, subnet in networks]),
        _collection("map published", "type inet_proto . inet_service : ipv4_addr . inet_service;", anywhere),
        _collection("map published_at", "type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service;", at),
        _CHAINS.format(mark=MARK),
        "}\n",
    ]
    return "\n".join(parts)


def remove(root_id: str) -> str:
    """What takes the table away; it is no error when there is none."""
    return f"add table inet {table_of(root_id)}\ndelete table inet {table_of(root_id)}\n"


def element(port: Port, address: str) -> Element:
    """The map element that publishes a port, in the kernel's bytes.

    Args:
        address: the container's; empty when only the key matters, for removing.
    """
    key = bytes((_NUMBERS[port.protocol], 0, 0, 0)) + _service(port.host_port)
    name = "published"
    if port.host_address != ANY:
        name, key = "published_at", _address(port.host_address) + key
    return name, key, _address(address) + _service(port.container_port) if address else b""


def protocol_number(protocol: str) -> int:
    """The number that IP has for a protocol. Source: IANA, protocol numbers."""
    return _NUMBERS[protocol]


def _collection(head: str, kind: str, elements: list[str]) -> str:
    inner = f"elements = {{ {', '.join(elements)} }}" if elements else ""
    return f"    {head} {{\n        {kind}\n        {inner}\n    }}"


def _service(port: int) -> bytes:
    return port.to_bytes(2, "big") + b"\0\0"


def _address(address: str) -> bytes:
    return bytes(int(part) for part in address.split("."))
