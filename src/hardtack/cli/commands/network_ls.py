"""`tack network ls`: list networks."""

from __future__ import annotations

from hardtack.cli.parse import LIST, STRING, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS]",
    "List networks",
    (
        Flag("filter", "f", LIST, "filter", 'Provide filter values (e.g. "driver=bridge")'),
        Flag("format", "", STRING, "string", "Format output using a custom template: 'table', 'json' or a Go template"),
        Flag("no-trunc", "", help="Do not truncate the output"),
        Flag("quiet", "q", help="Only display network IDs"),
    ),
    most=0,
)
FILTERS = ("driver", "id", "label", "name", "scope", "type")
HEADERS = {
    "ID": "NETWORK ID",
    "Name": "NAME",
    "Driver": "DRIVER",
    "Scope": "SCOPE",
    "CreatedAt": "CREATED AT",
    "IPv4": "IPV4",
    "IPv6": "IPV6",
    "Internal": "INTERNAL",
    "Labels": "LABELS",
}
_BUILT_IN = ("bridge", "host", "none")


def run(args: Args, streams: Streams) -> int:
    """Print the networks, by name."""
    from hardtack.cli.filters import Filters
    from hardtack.network.settings import networks
    from hardtack.store.root import Root

    filters = Filters(args.filter, FILTERS)
    found = [
        item
        for item in networks(Root.open(args.root).db)
        if filters.one_of("driver", item["Driver"])
        and filters.contains("id", item["Id"])
        and filters.contains("name", item["Name"])
        and filters.one_of("scope", item["Scope"])
        and filters.one_of("type", "builtin" if item["Name"] in _BUILT_IN else "custom")
        and filters.labels(item["Labels"])
    ]
    length = 64 if args.no_trunc else 12
    if args.quiet and not args.format:
        for item in found:
            streams.out.write(f"{item['Id'][:length]}\n")
        return 0
    from hardtack.cli.tables import write_list

    rows = [_row(item, length) for item in found]
    write_list(streams, rows, HEADERS, ("ID", "Name", "Driver", "Scope"), args.format)
    return 0


def _row(item: dict[str, Any], length: int) -> dict[str, Any]:
    from hardtack.cli.units import clock

    labels = item["Labels"]
    return {
        "ID": item["Id"][:length],
        "Name": item["Name"],
        "Driver": item["Driver"],
        "Scope": item["Scope"],
        "CreatedAt": clock(item["Created"]),
        "IPv4": "true",
        "IPv6": "false",
        "Internal": str(item["Internal"]).lower(),
        "Labels": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        "Label": lambda key: labels.get(key, ""),
    }
