"""`tack save`: images as one archive, to a file or a pipe."""

from __future__ import annotations

from hardtack.cli.parse import STRING, Command, Flag
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS] IMAGE [IMAGE...]",
    "Save one or more images to a tar archive (streamed to STDOUT by default)",
    (
        Flag("output", "o", STRING, help="Write to a file, instead of STDOUT"),
        Flag("platform", "", STRING, help='Save only the given platform ("os[/arch[/variant]]")'),
    ),
    least=1,
    operands="image",
)


def run(args: Args, streams: Streams) -> int:
    """Write the archive; a file appears whole or not at all."""
    from hardtack.image.save import save
    from hardtack.oci.platform import Platform
    from hardtack.store.root import Root

    if not args.output and streams.out_is_terminal:
        raise TackError("cowardly refusing to save to a terminal", "Use the -o flag or redirect")
    root = Root.open(args.root)
    platform = Platform.parse(args.platform) if args.platform else None

    def write(out: BinaryIO) -> None:
        save(root, args.args, out, platform)

    if args.output:
        from hardtack.cli.output import write_file

        write_file(args.output, write)
    else:
        write(streams.out.buffer)
    return 0
