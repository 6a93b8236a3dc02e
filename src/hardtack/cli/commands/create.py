"""`tack create`: make a container without starting it."""

from __future__ import annotations

from hardtack.cli.container_flags import FLAGS, make_container
from hardtack.cli.parse import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    "Create a new container",
    FLAGS,
    least=1,
    interspersed=False,
    operands="image",
)


def run(args: Args, streams: Streams) -> int:
    """Create, then print the id."""
    from hardtack.cli.privilege import require_root
    from hardtack.store.root import Root

    require_root("create a container")
    container = make_container(args, streams, Root.open(args.root), claimed=False)
    streams.out.write(f"{container.id}\n")
    return 0
