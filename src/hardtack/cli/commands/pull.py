"""`tack pull`: an image, or every tag of a repository, from a registry."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, STRING, Command, Flag
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS] NAME[:TAG|@DIGEST]",
    "Download an image from a registry",
    (
        Flag("all-tags", "a", BOOL, help="Download all tagged images in the repository"),
        Flag("disable-content-trust", "", BOOL, default=True, hidden=True),
        Flag("platform", "", STRING, help="Take the image for this platform (linux/arm64) instead of this host's"),
        Flag("quiet", "q", BOOL, help="Suppress verbose output"),
    ),
    least=1,
    most=1,
    operands="image",
)


def run(args: Args, streams: Streams) -> int:
    """Pull, then print the canonical name."""
    from hardtack.cli.privilege import require_root
    from hardtack.cli.progress import for_streams
    from hardtack.image.pull import pull, pull_all_tags
    from hardtack.oci.platform import Platform
    from hardtack.oci.reference import Reference
    from hardtack.store.root import Root

    reference = Reference.parse(args.args[0])
    if args.all_tags and (reference.tag or reference.digest):
        raise TackError("tag can't be used with --all-tags/-a")
    platform = Platform.parse(args.platform) if args.platform else None
    require_root(f"pull {args.args[0]}")
    root = Root.open(args.root)
    with for_streams(streams, quiet=args.quiet) as progress:
        if args.all_tags:
            pull_all_tags(root, reference, platform, progress)
            streams.out.write(f"{reference.repository}\n")
            return 0
        if not reference.tag and not reference.digest:
            progress.say("Using default tag: latest")
        pulled = pull(root, reference, platform, progress)
    streams.out.write(f"{pulled.reference}\n")
    return 0
