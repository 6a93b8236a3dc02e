"""`tack system df`: how much disk is used, and by what; the sizes add up to `du` of the root."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, STRING, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.cli.parse import Args, Streams
    from hardtack.store.root import Root
    from hardtack.store.usage import Share

COMMAND = Command(
    "[OPTIONS]",
    "Show how much disk is used, and by what",
    (
        Flag("format", "", STRING, help="Format output using a custom template: 'table', 'json' or a Go template"),
        Flag("verbose", "v", BOOL, help="Show detailed information on space usage"),
    ),
    most=0,
)

HEADERS = {
    "Type": "TYPE",
    "TotalCount": "TOTAL",
    "Active": "ACTIVE",
    "Size": "SIZE",
    "Reclaimable": "RECLAIMABLE",
}
_IMAGE_COLUMNS = ["Repository", "Tag", "ID", "CreatedSince", "Size", "SharedSize", "UniqueSize", "Containers"]


def run(args: Args, streams: Streams) -> int:
    """Show the shares."""
    from hardtack.cli.tables import write_list
    from hardtack.store.root import Root
    from hardtack.store.usage import usage

    root = Root.open(args.root)
    if args.verbose:
        _details(root, streams)
        return 0
    write_list(streams, [_row(share) for share in usage(root)], HEADERS, list(HEADERS), args.format)
    return 0


def _row(share: Share) -> dict[str, Any]:
    from hardtack.cli.units import size

    part = f" ({share.reclaimable * 100 // share.size}%)" if share.size else ""
    return {
        "Type": share.kind,
        "TotalCount": str(share.total),
        "Active": str(share.active),
        "Size": size(share.size),
        "Reclaimable": size(share.reclaimable) + part,
    }


def _details(root: Root, streams: Streams) -> None:
    """What there is of each kind, and what each of it takes."""
    from hardtack.build.cache import entries
    from hardtack.cli.commands.images import HEADERS as IMAGE_HEADERS
    from hardtack.cli.commands.images import rows_of
    from hardtack.cli.tables import layout, write_list
    from hardtack.cli.units import ago, size
    from hardtack.image.listing import summaries
    from hardtack.store.disk import tree_size

    streams.out.write("Images space usage:\n\n")
    rows = [row for image in summaries(root, shared=True) for row in rows_of(image, False, False)]
    write_list(streams, rows, IMAGE_HEADERS, _IMAGE_COLUMNS)
    streams.out.write("\nContainers space usage:\n\n")
    lines = [["CONTAINER ID", "IMAGE ID", "SIZE", "CREATED", "STATUS", "NAMES"]]
    for ident, image, created, state, name in root.db.execute(
        "SELECT id, image_id, created, state, name FROM container ORDER BY created DESC"
    ).fetchall():
        taken = size(tree_size(f"{root.path}/containers/{ident}"))
        lines.append([ident[:12], image.partition(":")[2][:12], taken, ago(created), state, name or ""])
    streams.out.write(layout(lines, streams.out_is_terminal))
    streams.out.write("\nLocal Volumes space usage:\n\n")
    lines = [["VOLUME NAME", "LINKS", "SIZE"]]
    for name, links in root.db.execute(
        "SELECT name, (SELECT count(*) FROM volume_use WHERE volume = name) FROM volume ORDER BY name"
    ).fetchall():
        lines.append([name, str(links), size(tree_size(f"{root.path}/volumes/{name}"))])
    streams.out.write(layout(lines, streams.out_is_terminal))
    steps = entries(root)
    streams.out.write(f"\nBuild cache usage: {size(sum(step.size for step in steps))}\n\n")
    lines = [["CACHE ID", "SIZE", "CREATED", "LAST USED", "INSTRUCTION"]]
    lines += [[step.key[:12], size(step.size), ago(step.made), ago(step.used), step.instruction[:60]] for step in steps]
    streams.out.write(layout(lines, streams.out_is_terminal))
