"""`tack rm`: remove containers."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS] CONTAINER [CONTAINER...]",
    "Remove one or more containers",
    (
        Flag("force", "f", BOOL, help="Force the removal of a running container (uses SIGKILL)"),
        Flag("link", "l", BOOL, hidden=True),
        Flag("volumes", "v", BOOL, help="Remove anonymous volumes associated with the container"),
    ),
    least=1,
    operands="container",
)


def run(args: Args, streams: Streams) -> int:
    """Remove each and print its name."""
    from hardtack.cli.several import each, finish, show
    from hardtack.container.errors import NoSuchContainer
    from hardtack.container.remove import remove
    from hardtack.errors import TackError
    from hardtack.store.root import Root

    if args.link:
        raise TackError("cannot remove links: containers here have none")
    root = Root.open(args.root)

    def one(name: str) -> None:
        remove(root, name, args.force, args.volumes)
        streams.out.write(f"{name}\n")

    failures = each(args.args, one, streams)
    if args.force and all(isinstance(failure, NoSuchContainer) for failure in failures):
        show(failures, streams)  # gone is what force asked for
        return 0
    return finish(failures, streams)
