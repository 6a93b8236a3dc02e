"""`tack rename`: another name for a container."""

from __future__ import annotations

from hardtack.cli.parse import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "CONTAINER NEW_NAME",
    "Rename a container",
    least=2,
    most=2,
    operands="container",
)


def run(args: Args, streams: Streams) -> int:  # noqa: ARG001  the form of every command
    """Rename; nothing is printed."""
    from hardtack.container.control import rename
    from hardtack.store.root import Root

    rename(Root.open(args.root), args.args[0], args.args[1])
    return 0
