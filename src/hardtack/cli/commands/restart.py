"""`tack restart`: stop containers, then start them again."""

from __future__ import annotations

from hardtack.cli.parse import INT, STRING, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS] CONTAINER [CONTAINER...]",
    "Restart one or more containers",
    (
        Flag("signal", "s", STRING, help="Signal to send to the container"),
        Flag("time", "t", INT, help="Seconds to wait before killing the container", also=("timeout",)),
    ),
    least=1,
    operands="container",
)


def run(args: Args, streams: Streams) -> int:
    """Restart each and print its name."""
    from hardtack.cli.several import each, finish
    from hardtack.container.control import stop
    from hardtack.container.current import current
    from hardtack.container.start import start, take
    from hardtack.store.root import Root

    root = Root.open(args.root)

    def one(name: str) -> None:
        ident = current(root, name).id
        stop(root, ident, args.time if "time" in args.given else None, args.signal)
        container = take(root, ident)
        if container is not None:
            start(root, container).close()
        streams.out.write(f"{name}\n")

    return finish(each(args.args, one, streams), streams)
