"""`tack load`: images out of an archive."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, STRING, Command, Flag
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS]",
    "Load images from a tar archive or STDIN",
    (
        Flag("input", "i", STRING, help="Read from a tar archive file or a directory, instead of STDIN"),
        Flag("platform", "", STRING, help='Load only the given platform ("os[/arch[/variant]]")'),
        Flag("quiet", "q", BOOL, help="Suppress the load output"),
    ),
    most=0,
)


def run(args: Args, streams: Streams) -> int:
    """Load, and say what came."""
    from hardtack.cli.privilege import require_root
    from hardtack.cli.progress import for_streams
    from hardtack.image.load import load
    from hardtack.oci.platform import Platform
    from hardtack.store.root import Root

    if not args.input and streams.in_is_terminal:
        raise TackError("requested load from stdin, but stdin is empty", "Use the -i flag or redirect")
    platform = Platform.parse(args.platform) if args.platform else None
    require_root("load images")
    root = Root.open(args.root)
    quiet = args.quiet or not streams.out_is_terminal
    with for_streams(streams, quiet=quiet) as progress:
        loaded = load(root, args.input or streams.stdin.buffer, platform, progress)
    streams.out.write("".join(line + "\n" for image in loaded for line in image.lines()))
    return 0
