"""`tack system prune`: remove what nothing uses, of every kind, and say what it freed."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, LIST, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hardtack.cli.filters import Filters
    from hardtack.cli.parse import Args, Streams
    from hardtack.store.root import Root

COMMAND = Command(
    "[OPTIONS]",
    "Remove what nothing uses",
    (
        Flag("all", "a", BOOL, help="Remove all unused images not just dangling ones, and unfinished downloads"),
        Flag("filter", "", LIST, "filter", 'Provide filter values (e.g. "label=<key>=<value>", "until=24h")'),
        Flag("force", "f", BOOL, help="Do not prompt for confirmation"),
        Flag("volumes", "", BOOL, help="Prune anonymous volumes"),
    ),
    most=0,
)
FILTERS = ("label", "label!", "until")
_RECENT = "24h"  # a cache entry that was used since then is not unused


def run(args: Args, streams: Streams) -> int:
    """Ask, then prune containers, volumes, build cache and images, in the order in which they hold each other."""
    from hardtack.cli.confirm import confirmed
    from hardtack.cli.filters import Filters
    from hardtack.cli.units import size
    from hardtack.store.root import Root

    filters = Filters(args.filter, FILTERS)
    if not args.force and not confirmed(_warning(args, filters.values), streams):
        return 0
    root = Root.open(args.root)
    freed = _containers(root, filters.values, streams)
    if args.volumes:
        freed += _volumes(root, filters, streams)
    _builds(root, filters.values, args.all, streams)
    freed += _images(root, filters.values, args.all, streams)
    _kernel(root)
    streams.out.write(f"Total reclaimed space: {size(freed)}\n")
    return 0


def _warning(args: Args, filters: Mapping[str, Sequence[str]]) -> str:
    lines = ["all stopped containers"]
    if args.volumes:
        lines.append("all anonymous volumes not used by at least one container")
    lines.append("all images without at least one container associated to them" if args.all else "all dangling images")
    lines.append("all build cache" if args.all else f"build cache not used for {_RECENT}")
    if args.all:
        lines.append("all unfinished downloads")
    text = "WARNING! This will remove:\n" + "".join(f"  - {line}\n" for line in lines)
    if filters:
        text += "\n  Items to be pruned will be filtered with:\n"
        text += "".join(f"  - {key}={value}\n" for key, values in sorted(filters.items()) for value in values)
    return text


def _containers(root: Root, filters: Mapping[str, Sequence[str]], streams: Streams) -> int:
    from hardtack.container.prune import prune

    ids, freed = prune(root, filters)
    _show("Deleted Containers:", ids, streams)
    return freed


def _volumes(root: Root, filters: Filters, streams: Streams) -> int:
    from hardtack.volume.volumes import prune

    names, freed = prune(root, False, lambda volume: filters.labels(volume.labels))
    _show("Deleted Volumes:", names, streams)
    return freed


def _builds(root: Root, filters: Mapping[str, Sequence[str]], everything: bool, streams: Streams) -> None:
    """Entries are forgotten here; what that frees is collected, and counted, with the images."""
    from hardtack.build.cache import prune
    from hardtack.image.filters import moment

    if filters.get("label") or filters.get("label!"):
        return  # cache has no labels
    until = min((moment(text) for text in filters.get("until", ())), default=None)
    if until is None and not everything:
        until = moment(_RECENT)
    _show("Deleted build cache objects:", [entry.key for entry in prune(root, until)], streams)


def _images(root: Root, filters: Mapping[str, Sequence[str]], everything: bool, streams: Streams) -> int:
    from hardtack.image.prune import prune
    from hardtack.store.collect import collect

    done = prune(root, everything, filters)
    _show("Deleted Images:", done.lines(), streams)
    return done.freed + (collect(root, partials_older=0).freed if everything else 0)


def _kernel(root: Root) -> None:
    """The bridge, the packet filter table and the control group go too while nothing runs; the next start makes them.

    They are no data, so no filter spares them.
    """
    import os

    from hardtack.container.groups import tidy
    from hardtack.network.world import StillAttached, destroy_world

    if os.geteuid() != 0:
        return  # there are none
    tidy(root)
    try:
        destroy_world(root)
    except StillAttached:
        return


def _show(title: str, lines: Sequence[str], streams: Streams) -> None:
    if lines:
        streams.out.write(f"{title}\n" + "".join(f"{line}\n" for line in lines) + "\n")
