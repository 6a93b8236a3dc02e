"""`tack tag`: give an image another name."""

from __future__ import annotations

from hardtack.cli.parse import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    least=2,
    most=2,
    operands="image",
)


def run(args: Args, _streams: Streams) -> int:
    """Tag; says nothing, as docker."""
    from hardtack.image.tag import tag
    from hardtack.store.root import Root

    source, target = args.args
    tag(Root.open(args.root), source, target)
    return 0
