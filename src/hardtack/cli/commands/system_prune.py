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


def run(args: Args, streams: Streams) -> int:
    """Ask, then prune containers, volumes, images and build cache, in the order in which they hold each other."""
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
    if args.all:  # all of the cache goes, and what images lose with it is told with them
        freed += _builds(root, filters.values, True, streams) + _images(root, filters.values, True, streams)
    else:  # what is left of the cache depends on the images that are left
        freed += _images(root, filters.values, False, streams) + _builds(root, filters.values, False, streams)
    freed += _rest(root, args.all)
    _kernel(root)
    streams.out.write(f"Total reclaimed space: {size(freed)}\n")
    return 0


def _warning(args: Args, filters: Mapping[str, Sequence[str]]) -> str:
    lines = ["all stopped containers"]
    if args.volumes:
        lines.append("all anonymous volumes not used by at least one container")
    lines.append("all images without at least one container associated to them" if args.all else "all dangling images")
    lines.append("all build cache" if args.all else "all dangling build cache")
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


def _builds(root: Root, filters: Mapping[str, Sequence[str]], everything: bool, streams: Streams) -> int:
    """Steps are forgotten and folders of caches removed here; the steps' layers are counted where they are collected.

    As docker's, a prune without `--all` leaves the steps whose layers an image has: they free nothing.
    """
    from hardtack.build.cache import prune
    from hardtack.build.steps.caches import prune as prune_folders
    from hardtack.image.filters import moment

    if filters.get("label") or filters.get("label!"):
        return 0  # cache has no labels
    until = min((moment(text) for text in filters.get("until", ())), default=None)
    keys = [entry.key for entry in prune(root, until, dangling=not everything)]
    folders, freed = prune_folders(root, until)
    _show("Deleted build cache objects:", keys + folders, streams)
    return freed


def _images(root: Root, filters: Mapping[str, Sequence[str]], everything: bool, streams: Streams) -> int:
    from hardtack.image.prune import prune

    done = prune(root, everything, filters)
    _show("Deleted Images:", done.lines(), streams)
    return done.freed


def _rest(root: Root, everything: bool) -> int:
    from hardtack.store.collect import collect

    return (collect(root, partials_older=0) if everything else collect(root)).freed


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
