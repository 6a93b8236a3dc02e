"""`tack volume create`: make a volume."""

from __future__ import annotations

from hardtack.cli.parse import LIST, STRING, Command, Flag, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS] [VOLUME]",
    "Create a volume",
    (
        Flag("driver", "d", STRING, "string", "Specify volume driver name", default="local"),
        Flag("label", "", LIST, "list", "Set metadata for a volume"),
        Flag("name", "", STRING, "string", hidden=True),
        Flag("opt", "o", LIST, "map", "Set driver specific options"),
    ),
    most=1,
)


def run(args: Args, streams: Streams) -> int:
    """Make it and print its name."""
    from hardtack.store.root import Root
    from hardtack.volume.volumes import create

    name = args.args[0] if args.args else args.name
    if args.args and args.name:
        raise UsageError(
            "conflicting options: cannot specify a volume-name through both --name and as a positional arg"
        )
    labels = dict(text.partition("=")[::2] for text in args.label)
    options = dict(text.partition("=")[::2] for text in args.opt)
    volume = create(Root.open(args.root), name, labels, args.driver, options)
    streams.out.write(f"{volume.name}\n")
    return 0
