"""`tack container prune`: remove containers that do not run."""

from __future__ import annotations

from hardtack.cli.parse import LIST, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS]",
    "Remove all stopped containers",
    (
        Flag("filter", "", LIST, "filter", 'Provide filter values (e.g. "until=<timestamp>")'),
        Flag("force", "f", help="Do not prompt for confirmation"),
    ),
    most=0,
)
FILTERS = ("until", "label", "label!")


def run(args: Args, streams: Streams) -> int:
    """Ask, remove, and say how much became free."""
    from hardtack.cli.confirm import confirmed
    from hardtack.cli.filters import Filters
    from hardtack.cli.units import size
    from hardtack.container.prune import prune
    from hardtack.store.root import Root

    filters = Filters(args.filter, FILTERS)
    if not args.force and not confirmed("WARNING! This will remove all stopped containers.", streams):
        return 0
    ids, freed = prune(Root.open(args.root), filters.values)
    if ids:
        streams.out.write("Deleted Containers:\n" + "".join(f"{ident}\n" for ident in ids) + "\n")
    streams.out.write(f"Total reclaimed space: {size(freed)}\n")
    return 0
