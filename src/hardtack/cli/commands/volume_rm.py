"""`tack volume rm`: remove volumes and what they hold."""

from __future__ import annotations

from hardtack.cli.parse import Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS] VOLUME [VOLUME...]",
    "Remove one or more volumes. You cannot remove a volume that is in use by a container",
    (Flag("force", "f", help="Do not complain about volumes that do not exist"),),
    least=1,
    operands="volume",
)


def run(args: Args, streams: Streams) -> int:
    """Remove each and print its name."""
    from hardtack.cli.several import each, finish
    from hardtack.store.root import Root
    from hardtack.volume.volumes import remove

    root = Root.open(args.root)

    def one(name: str) -> None:
        remove(root, name, force=args.force)
        streams.out.write(f"{name}\n")

    return finish(each(args.args, one, streams), streams)
