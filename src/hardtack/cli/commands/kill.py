"""`tack kill`: a signal for containers, SIGKILL if no other is named."""

from __future__ import annotations

from hardtack.cli.parse import STRING, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS] CONTAINER [CONTAINER...]",
    "Kill one or more running containers",
    (Flag("signal", "s", STRING, help="Signal to send to the container", default="KILL"),),
    least=1,
    operands="container",
)


def run(args: Args, streams: Streams) -> int:
    """Signal each and print its name."""
    from hardtack.cli.several import each, finish
    from hardtack.container.control import kill
    from hardtack.store.root import Root

    root = Root.open(args.root)

    def one(name: str) -> None:
        kill(root, name, args.signal)
        streams.out.write(f"{name}\n")

    return finish(each(args.args, one, streams), streams)
