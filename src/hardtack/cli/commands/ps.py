"""`tack ps`: list containers."""

from __future__ import annotations

import time

from hardtack.cli.parse import INT, LIST, STRING, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.cli.parse import Args, Streams
    from hardtack.container.row import Container
    from hardtack.network.ports import Port
    from hardtack.store.root import Root

COMMAND = Command(
    "[OPTIONS]",
    "List containers",
    (
        Flag("all", "a", help="Show all containers (default shows just running)"),
        Flag("filter", "f", LIST, "filter", "Filter output based on conditions provided"),
        Flag("format", "", STRING, "string", "Format output using a custom template: 'table', 'json' or a Go template"),
        Flag("last", "n", INT, "int", "Show n last created containers (includes all states)", default=-1),
        Flag("latest", "l", help="Show the latest created container (includes all states)"),
        Flag("no-trunc", "", help="Don't truncate output"),
        Flag("quiet", "q", help="Only display container IDs"),
        Flag("size", "s", help="Display total file sizes"),
    ),
    most=0,
)
HEADERS = {
    "ID": "CONTAINER ID",
    "Image": "IMAGE",
    "Command": "COMMAND",
    "CreatedAt": "CREATED AT",
    "RunningFor": "CREATED",
    "Status": "STATUS",
    "State": "STATE",
    "Ports": "PORTS",
    "Names": "NAMES",
    "Size": "SIZE",
    "Labels": "LABELS",
    "Mounts": "MOUNTS",
    "LocalVolumes": "LOCAL VOLUMES",
    "Networks": "NETWORKS",
    "Platform": "PLATFORM",
}
_COLUMNS = ["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"]
_SHORT_COMMAND = 20


def run(args: Args, streams: Streams) -> int:
    """Print the containers, the newest first."""
    from hardtack.container.listing import FILTERS, select
    from hardtack.store.root import Root

    filters: dict[str, list[str]] = {}
    if args.filter:
        from hardtack.cli.filters import Filters

        filters = Filters(args.filter, FILTERS).values
    root = Root.open(args.root)
    last = 1 if args.latest else max(0, args.last)
    found = select(root, args.all, last, filters)
    if args.quiet and not args.format:
        length = 64 if args.no_trunc else 12
        streams.out.write("".join(f"{container.id[:length]}\n" for container in found))
        return 0
    from hardtack.cli.tables import write_list

    sized = args.size or ".Size" in args.format
    rows = _rows(root, found, args.no_trunc, sized)
    columns = [*_COLUMNS, "Size"] if args.size else _COLUMNS
    chosen = "{{.ID}}" if args.quiet and args.format == "table" else args.format
    write_list(streams, rows, HEADERS, columns, chosen)
    return 0


def _rows(root: Root, found: list[Container], whole: bool, sized: bool) -> list[dict[str, Any]]:
    from hardtack.container.listing import tagged_images
    from hardtack.network.published import published

    ports = published(root.db)
    tagged = tagged_images(root)
    now = time.time()
    return [
        _row(container, ports.get(container.id, []), container.image in tagged, now, whole)
        | {"Size": _size(root, container) if sized else ""}
        for container in found
    ]


def _row(container: Container, ports: list[Port], tagged: bool, now: float, whole: bool) -> dict[str, Any]:
    from hardtack.cli.units import ago, clock
    from hardtack.container.listing import command, status
    from hardtack.container.states import ALIVE
    from hardtack.network.ports import shown

    config = container.config
    labels = config.get("Labels") or {}
    mode = container.host_config.get("NetworkMode") or "bridge"
    image = config.get("Image") or "" if tagged else container.image_id.partition(":")[2][:12]
    mounts = [entry.get("Name") or entry.get("Source") or "" for entry in container.document.get("Mounts") or ()]
    exposed = config.get("ExposedPorts") or () if container.state in ALIVE else ()
    return {
        "ID": container.id if whole else container.id[:12],
        "Image": image,
        "Command": _quoted(command(config), whole),
        "CreatedAt": clock(container.created),
        "RunningFor": ago(container.created, now),
        "Status": status(container, now),
        "State": container.state,
        "Ports": shown(ports, exposed),
        "Names": container.name,
        "Labels": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        "Mounts": ",".join(name if whole else _cut(name, 15) for name in mounts),
        "LocalVolumes": str(sum(1 for entry in container.document.get("Mounts") or () if entry["Type"] == "volume")),
        "Networks": "" if mode.startswith("container:") else mode,
        "Platform": str(container.document.get("Platform") or ""),
        "Label": lambda key: labels.get(key, ""),
    }


def _size(root: Root, container: Container) -> str:
    from hardtack.cli.units import size as spell
    from hardtack.container.listing import size

    written, whole = size(root, container)
    return f"{spell(written)} (virtual {spell(whole)})"


def _quoted(text: str, whole: bool) -> str:
    from hardtack.jsontext import dumps

    return dumps(text if whole else _cut(text, _SHORT_COMMAND))


def _cut(text: str, length: int) -> str:
    """A text of at most `length` characters, the last of them an ellipsis when something is missing."""
    return text if len(text) <= length else text[: length - 1] + "…"
