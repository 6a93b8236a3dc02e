"""`tack diff`: what a container has changed in its file system."""

from __future__ import annotations

from hardtack.cli.parse import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "CONTAINER",
    "Inspect changes to files or directories on a container's filesystem",
    least=1,
    most=1,
    operands="container",
)


def run(args: Args, streams: Streams) -> int:
    """Print one line for each change: A added, C changed, D deleted."""
    from hardtack.container.changes import changes
    from hardtack.container.row import find
    from hardtack.store.root import Root

    root = Root.open(args.root)
    for change in changes(root, find(root, args.args[0])):
        path = change.path
        if streams.out_is_terminal and not path.isprintable():
            path = "".join(character if character.isprintable() else "?" for character in path)
        streams.out.write(f"{change.kind} {path}\n")
    return 0
