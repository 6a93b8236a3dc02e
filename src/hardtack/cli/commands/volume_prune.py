"""`tack volume prune`: remove volumes that no container uses."""

from __future__ import annotations

from hardtack.cli.parse import LIST, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS]",
    "Remove unused local volumes",
    (
        Flag("all", "a", help="Remove all unused volumes, not just anonymous ones"),
        Flag("filter", "", LIST, "filter", 'Provide filter values (e.g. "label=<label>")'),
        Flag("force", "f", help="Do not prompt for confirmation"),
    ),
    most=0,
)
FILTERS = ("all", "label", "label!")


def run(args: Args, streams: Streams) -> int:
    """Ask, remove, and say how much became free."""
    from hardtack.cli.confirm import confirmed
    from hardtack.cli.filters import Filters
    from hardtack.cli.units import size
    from hardtack.store.root import Root
    from hardtack.volume.volumes import prune

    filters = Filters(args.filter, FILTERS)
    named = args.all or any(value.lower() in ("true", "1") for value in filters.get("all"))
    which = "all local volumes" if named else "anonymous local volumes"
    warning = f"WARNING! This will remove {which} not used by at least one container."
    if not args.force and not confirmed(warning, streams):
        return 0
    names, freed = prune(Root.open(args.root), named, lambda volume: filters.labels(volume.labels))
    if names:
        streams.out.write("Deleted Volumes:\n" + "".join(f"{name}\n" for name in names) + "\n")
    streams.out.write(f"Total reclaimed space: {size(freed)}\n")
    return 0
