"""`tack history`: the instructions of an image, what each added, and with --layers in which layer."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, STRING, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.cli.parse import Args, Streams
    from hardtack.image.history import Step

COMMAND = Command(
    "[OPTIONS] IMAGE",
    "Show the history of an image",
    (
        Flag("format", "", STRING, help="Format output using a custom template: 'table', 'json' or a Go template"),
        Flag("human", "H", BOOL, help="Print sizes and dates in human readable format", default=True),
        Flag("layers", "", BOOL, help="Show the layer that each instruction made"),
        Flag("no-trunc", "", BOOL, help="Don't truncate output"),
        Flag("platform", "", STRING, "string", 'Show history for the given platform ("os[/arch[/variant]]")'),
        Flag("quiet", "q", BOOL, help="Only show image IDs"),
    ),
    least=1,
    most=1,
    operands="image",
)

HEADERS = {
    "ID": "IMAGE",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "CreatedBy": "CREATED BY",
    "Size": "SIZE",
    "Comment": "COMMENT",
    "Layer": "LAYER",
}
_WIDTH = 45


def run(args: Args, streams: Streams) -> int:
    """Show the steps, the youngest first."""
    from hardtack.cli.tables import write_list
    from hardtack.image.history import history
    from hardtack.oci.platform import Platform
    from hardtack.store.root import Root

    platform = Platform.parse(args.platform) if args.platform else None
    steps = history(Root.open(args.root), args.args[0], platform)
    rows = [_row(step, args.human, args.no_trunc) for step in steps]
    if args.quiet:
        streams.out.write("".join(row["ID"] + "\n" for row in rows))
        return 0
    columns = ["ID", "CreatedSince", "CreatedBy", "Size", *(["Layer"] if args.layers else []), "Comment"]
    write_list(streams, rows, HEADERS, columns, args.format)
    return 0


def _row(step: Step, human: bool, whole: bool) -> dict[str, Any]:
    from hardtack.cli.units import ago, size
    from hardtack.oci.moment import format_time

    created_by = step.created_by.replace("\t", " ")
    if not whole and len(created_by) > _WIDTH:
        created_by = created_by[: _WIDTH - 1] + "…"
    moment = format_time(step.created)
    layer = step.layer or ""
    return {
        "ID": step.id if whole or ":" not in step.id else step.id.partition(":")[2][:12],
        "CreatedAt": moment,
        "CreatedSince": ago(step.created) if human else moment,
        "CreatedBy": created_by,
        "Size": size(step.size) if human else str(step.size),
        "Comment": step.comment,
        "Layer": layer if whole else layer.partition(":")[2][:12],
    }
