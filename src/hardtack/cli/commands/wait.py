"""`tack wait`: until containers do not run; prints their exit codes."""

from __future__ import annotations

from hardtack.cli.parse import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "CONTAINER [CONTAINER...]",
    "Block until one or more containers stop, then print their exit codes",
    least=1,
    operands="container",
)


def run(args: Args, streams: Streams) -> int:
    """Wait for each in turn and print its code."""
    from hardtack.cli.several import each, finish
    from hardtack.container.control import wait
    from hardtack.store.root import Root

    root = Root.open(args.root)

    def one(name: str) -> None:
        streams.out.write(f"{wait(root, name)}\n")
        streams.out.flush()

    return finish(each(args.args, one, streams), streams)
