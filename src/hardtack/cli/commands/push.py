"""`tack push`: an image, or every tag of a repository, to a registry."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, STRING, Command, Flag
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS] NAME[:TAG]",
    "Upload an image to a registry",
    (
        Flag("all-tags", "a", BOOL, help="Push all tags of an image to the repository"),
        Flag("disable-content-trust", "", BOOL, default=True, hidden=True),
        Flag("platform", "", STRING, help="Push only the image for this platform (linux/arm64) of an index"),
        Flag("quiet", "q", BOOL, help="Suppress verbose output"),
    ),
    least=1,
    most=1,
    operands="image",
)


def run(args: Args, streams: Streams) -> int:
    """Push; quiet, print only the name."""
    from hardtack.cli.progress import for_streams
    from hardtack.image.push import push
    from hardtack.oci.platform import Platform
    from hardtack.oci.reference import Reference
    from hardtack.store.root import Root

    reference = Reference.parse(args.args[0])
    if reference.digest:
        raise TackError("cannot push a digest reference", "Give a name with a tag")
    if args.all_tags and reference.tag:
        raise TackError("tag can't be used with --all-tags/-a")
    platform = Platform.parse(args.platform) if args.platform else None
    with for_streams(streams, quiet=args.quiet) as progress:
        if not args.all_tags and not reference.tag:
            progress.say("Using default tag: latest")
        pushed = push(Root.open(args.root), reference, args.all_tags, progress, platform)
    if args.quiet:
        for entry in pushed:
            streams.out.write(f"{entry.reference}\n")
    return 0
