"""`tack stop`: ask containers to end, and kill those that do not."""

from __future__ import annotations

from hardtack.cli.parse import INT, STRING, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS] CONTAINER [CONTAINER...]",
    "Stop one or more running containers",
    (
        Flag("signal", "s", STRING, help="Signal to send to the container"),
        Flag("time", "t", INT, help="Seconds to wait before killing the container", also=("timeout",)),
    ),
    least=1,
    operands="container",
)


def run(args: Args, streams: Streams) -> int:
    """Stop each and print its name."""
    from hardtack.cli.several import each, finish
    from hardtack.container.control import stop
    from hardtack.store.root import Root

    root = Root.open(args.root)

    def one(name: str) -> None:
        stop(root, name, args.time if "time" in args.given else None, args.signal)
        streams.out.write(f"{name}\n")

    return finish(each(args.args, one, streams), streams)
