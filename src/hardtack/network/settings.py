"""Networks and attachments in the form of docker's documents, read from the rows."""

from __future__ import annotations

from hardtack.network import pool
from hardtack.network.bridge import DEFAULT, bridge_name
from hardtack.network.errors import NetworkUnknown
from hardtack.network.published import published_by
from hardtack.oci.moment import format_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hardtack.store.root import Root
    from hardtack.store.sqlite import Connection


def settings(db: Connection, container_id: str, mode: str = DEFAULT, exposed: Iterable[str] = ()) -> dict[str, Any]:
    """The NetworkSettings of a container's document.

    Args:
        mode: its HostConfig.NetworkMode.
        exposed: keys of its ExposedPorts.
    Source: docker Engine API, ContainerInspect.
    """
    row = db.execute(
        "SELECT endpoint.id, endpoint.address, endpoint.aliases, network.subnet, network.gateway"
        " FROM endpoint JOIN network ON network.id = endpoint.network WHERE container = ?",
        (container_id,),
    ).fetchone()
    entry = _entry(row)
    networks = {}
    name = DEFAULT if mode in ("", "default") else mode
    if not mode.startswith("container:"):
        found = db.execute("SELECT id FROM network WHERE name = ?", (name,)).fetchone()
        networks[name] = entry | {"NetworkID": found[0] if found and (row or name in ("host", "none")) else ""}
    ports: dict[str, Any] = {}
    if row is not None:
        ports = dict.fromkeys(exposed)
        for port in published_by(db, container_id):
            binding = {"HostIp": port.host_address, "HostPort": str(port.host_port)}
            key = f"{port.container_port}/{port.protocol}"
            ports[key] = (ports.get(key) or []) + [binding]
    return {
        "Bridge": "",
        "SandboxID": entry["EndpointID"],
        "SandboxKey": "",
        "Ports": ports,
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        **{key: entry[key] for key in _ENTRY_AT_TOP},
        "Networks": networks,
    }


def networks(db: Connection) -> list[dict[str, Any]]:
    """What `network ls` lists, by name."""
    from hardtack.jsontext import loads

    query = "SELECT name, id, driver, internal, labels, created, options FROM network ORDER BY name"
    return [
        {
            "Name": name,
            "Id": ident,
            "Driver": driver,
            "Scope": "local",
            "Internal": bool(internal),
            "Labels": loads(labels),
            "Created": created,
            "Options": loads(options),
        }
        for name, ident, driver, internal, labels, created, options in db.execute(query)
    ]


def inspect_network(root: Root, text: str) -> dict[str, Any]:
    """A network's document, found by its name or a unique beginning of its id.

    Raises:
        NetworkUnknown: none fits, or more than one.
    Source: docker Engine API, NetworkInspect.
    """
    db = root.db
    rows = db.execute(
        "SELECT id, subnet, gateway, bridge FROM network WHERE name = ? OR id LIKE ? ORDER BY name = ? DESC",
        (text, f"{text}%" if text and not text.strip("0123456789abcdef") else text, text),
    ).fetchall()
    listed = {item["Id"]: item for item in networks(db)}
    if not rows or (len(rows) > 1 and listed[rows[0][0]]["Name"] != text):
        raise NetworkUnknown(text)
    ident, subnet, gateway, bridge = rows[0]
    item = listed[ident]
    options = item["Options"]
    if item["Driver"] == "bridge":
        options = {"com.docker.network.bridge.name": bridge or bridge_name(root.id), **options}
    return {
        "Name": item["Name"],
        "Id": ident,
        "Created": format_time(item["Created"]),
        "Scope": "local",
        "Driver": item["Driver"],
        "EnableIPv4": True,
        "EnableIPv6": False,
        "IPAM": {
            "Driver": "default",
            "Options": None,
            "Config": [{"Subnet": subnet, "Gateway": gateway}] if subnet else [],
        },
        "Internal": item["Internal"],
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": _attached(db, ident),
        "Options": options,
        "Labels": item["Labels"],
    }


_ENTRY_AT_TOP = (
    "EndpointID",
    "Gateway",
    "GlobalIPv6Address",
    "GlobalIPv6PrefixLen",
    "IPAddress",
    "IPPrefixLen",
    "IPv6Gateway",
    "MacAddress",
)


def _entry(row: tuple[str, int, str, str, str] | None) -> dict[str, Any]:
    """One value of NetworkSettings.Networks; without a row what a container has that does not run."""
    endpoint, address, aliases, mac, gateway, prefix = "", "", None, "", "", 0
    if row is not None and row[1]:
        from hardtack.jsontext import loads

        subnet = pool.Subnet.parse(row[3])
        endpoint, address, gateway, prefix = row[0], subnet.address(row[1]), row[4], subnet.prefix
        mac, aliases = pool.mac_of(address), loads(row[2]) or None
    return {
        "IPAMConfig": None,
        "Links": None,
        "Aliases": aliases,
        "MacAddress": mac,
        "DriverOpts": None,
        "GwPriority": 0,
        "NetworkID": "",
        "EndpointID": endpoint,
        "Gateway": gateway,
        "IPAddress": address,
        "IPPrefixLen": prefix,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "DNSNames": None,
    }


def _attached(db: Connection, network_id: str) -> dict[str, Any]:
    query = (
        "SELECT endpoint.container, container.name, endpoint.id, endpoint.address, network.subnet"
        " FROM endpoint JOIN network ON network.id = endpoint.network"
        " LEFT JOIN container ON container.id = endpoint.container WHERE network.id = ? ORDER BY endpoint.container"
    )
    found = {}
    for container, name, endpoint, offset, text in db.execute(query, (network_id,)):
        subnet = pool.Subnet.parse(text)
        address = subnet.address(offset)
        found[container] = {
            "Name": name or "",
            "EndpointID": endpoint,
            "MacAddress": pool.mac_of(address),
            "IPv4Address": f"{address}/{subnet.prefix}",
            "IPv6Address": "",
        }
    return found
