"""`tack volume ls`: list volumes."""

from __future__ import annotations

from hardtack.cli.parse import LIST, STRING, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.cli.parse import Args, Streams
    from hardtack.store.root import Root
    from hardtack.volume.volumes import Volume

COMMAND = Command(
    "[OPTIONS]",
    "List volumes",
    (
        Flag("filter", "f", LIST, "filter", 'Provide filter values (e.g. "dangling=true")'),
        Flag("format", "", STRING, "string", "Format output using a custom template: 'table', 'json' or a Go template"),
        Flag("quiet", "q", help="Only display volume names"),
    ),
    most=0,
)
FILTERS = ("dangling", "driver", "label", "name")
HEADERS = {
    "Driver": "DRIVER",
    "Name": "VOLUME NAME",
    "Availability": "AVAILABILITY",
    "Group": "GROUP",
    "Labels": "LABELS",
    "Links": "LINKS",
    "Mountpoint": "MOUNTPOINT",
    "Scope": "SCOPE",
    "Size": "SIZE",
    "Status": "STATUS",
}


def run(args: Args, streams: Streams) -> int:
    """Print the volumes, by name."""
    from hardtack.cli.filters import Filters
    from hardtack.store.root import Root
    from hardtack.volume.volumes import every, users

    root = Root.open(args.root)
    filters = Filters(args.filter, FILTERS)
    used = users(root.db) if filters.get("dangling") else {}
    volumes = [
        volume
        for volume in every(root.db)
        if filters.one_of("driver", volume.driver)
        and filters.contains("name", volume.name)
        and filters.labels(volume.labels)
        and filters.flag("dangling", volume.name not in used)
    ]
    if args.quiet and not args.format:
        for volume in volumes:
            streams.out.write(f"{volume.name}\n")
        return 0
    from hardtack.cli.tables import write_list

    rows = [_row(root, volume) for volume in volumes]
    chosen = "{{.Name}}" if args.quiet and args.format == "table" else args.format
    write_list(streams, rows, HEADERS, ("Driver", "Name"), chosen)
    return 0


def _row(root: Root, volume: Volume) -> dict[str, Any]:
    from hardtack.volume.volumes import mountpoint

    return {
        "Driver": volume.driver,
        "Name": volume.name,
        "Availability": "N/A",
        "Group": "N/A",
        "Labels": ",".join(f"{key}={value}" for key, value in sorted(volume.labels.items())),
        "Links": "N/A",
        "Mountpoint": mountpoint(root, volume.name),
        "Scope": "local",
        "Size": "N/A",
        "Status": "N/A",
        "Label": lambda key: volume.labels.get(key, ""),
    }
