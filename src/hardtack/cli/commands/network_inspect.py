"""`tack network inspect`: everything about networks, as JSON or by a template."""

from __future__ import annotations

from hardtack.cli.parse import STRING, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS] NETWORK [NETWORK...]",
    "Display detailed information on one or more networks",
    (
        Flag("format", "f", STRING, "string", "Format output using a custom template: 'json' or a Go template"),
        Flag("verbose", "v", help="Verbose output for diagnostics"),
    ),
    least=1,
    operands="network",
)


def run(args: Args, streams: Streams) -> int:
    """Print those that exist, then say which do not."""
    from hardtack.cli.inspection import show
    from hardtack.network.settings import inspect_network
    from hardtack.store.root import Root

    root = Root.open(args.root)
    return show(args.args, lambda name: inspect_network(root, name), args.format, streams)
