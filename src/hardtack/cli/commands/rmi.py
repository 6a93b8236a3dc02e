"""`tack rmi`: remove names and images, and say what it did or what is in the way."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, LIST, Command, Flag
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS] IMAGE [IMAGE...]",
    "Remove one or more images",
    (
        Flag("force", "f", BOOL, help="Force removal of the image"),
        Flag("no-prune", "", BOOL, help="Do not delete untagged parents (images here have none)"),
        Flag("platform", "", LIST, "list", hidden=True),
    ),
    least=1,
    operands="image",
)


def run(args: Args, streams: Streams) -> int:
    """Remove each; what cannot go does not keep the others from going."""
    from hardtack.cli.several import each, finish, show
    from hardtack.image.remove import remove
    from hardtack.store.errors import ImageUnknown
    from hardtack.store.root import Root

    if args.platform:
        raise TackError("cannot remove one platform of an image: it goes as a whole", "Leave --platform out")
    root = Root.open(args.root)

    def act(name: str) -> None:
        streams.out.write("".join(line + "\n" for line in remove(root, name, args.force).lines()))

    failures = each(args.args, act, streams)
    if args.force and all(isinstance(failure, ImageUnknown) for failure in failures):
        show(failures, streams)  # gone is what force asked for
        return 0
    return finish(failures, streams)
