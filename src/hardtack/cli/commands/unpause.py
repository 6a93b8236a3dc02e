"""`tack unpause`: let frozen containers go on."""

from __future__ import annotations

from hardtack.cli.parse import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "CONTAINER [CONTAINER...]",
    "Unpause all processes within one or more containers",
    least=1,
    operands="container",
)


def run(args: Args, streams: Streams) -> int:
    """Unpause each and print its name."""
    from hardtack.cli.several import each, finish
    from hardtack.container.control import unpause
    from hardtack.store.root import Root

    root = Root.open(args.root)

    def one(name: str) -> None:
        unpause(root, name)
        streams.out.write(f"{name}\n")

    return finish(each(args.args, one, streams), streams)
