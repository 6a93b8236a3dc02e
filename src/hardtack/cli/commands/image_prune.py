"""`tack image prune`: remove images that nothing needs."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, LIST, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS]",
    "Remove unused images",
    (
        Flag("all", "a", BOOL, help="Remove all unused images, not just dangling ones"),
        Flag(
            "filter",
            "",
            LIST,
            "filter",
            'Provide filter values ("until=<timestamp>" by age, "unused-since=<timestamp>" by last use, "label=…")',
        ),
        Flag("force", "f", BOOL, help="Do not prompt for confirmation"),
    ),
    most=0,
)

_DANGLING = "WARNING! This will remove all dangling images."
_ALL = "WARNING! This will remove all images without at least one container associated to them."


def run(args: Args, streams: Streams) -> int:
    """Ask, prune, say what went."""
    from hardtack.cli.confirm import confirmed
    from hardtack.cli.filters import Filters
    from hardtack.cli.units import size
    from hardtack.image.prune import KNOWN_FILTERS, prune
    from hardtack.store.root import Root

    filters = Filters(args.filter, KNOWN_FILTERS)
    if not args.force and not confirmed(_ALL if args.all else _DANGLING, streams):
        return 0
    done = prune(Root.open(args.root), args.all, filters.values)
    lines = done.lines()
    if lines:
        streams.out.write("Deleted Images:\n" + "".join(line + "\n" for line in lines) + "\n")
    streams.out.write(f"Total reclaimed space: {size(done.freed)}\n")
    return 0
