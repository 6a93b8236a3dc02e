"""`tack top`: the processes of a container."""

from __future__ import annotations

from hardtack.cli.parse import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "CONTAINER [ps OPTIONS]",
    "Display the running processes of a container",
    least=1,
    interspersed=False,
    operands="container",
)


def run(args: Args, streams: Streams) -> int:
    """Print them as a table."""
    from hardtack.cli.tables import layout
    from hardtack.container.current import current
    from hardtack.container.top import processes
    from hardtack.store.root import Root

    root = Root.open(args.root)
    titles, rows = processes(root, current(root, args.args[0]), args.args[1:])
    streams.out.write(layout([titles, *rows], streams.out_is_terminal))
    return 0
