"""`tack cp`: copy files between a container and this host, or as a tar stream."""

from __future__ import annotations

from hardtack.cli.parse import Command, Flag
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams
    from hardtack.container.copy import Copied

COMMAND = Command(
    "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n       tack cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
    "Copy files/folders between a container and the local filesystem",
    (
        Flag("archive", "a", help="Archive mode (copy all uid/gid information)"),
        Flag("follow-link", "L", help="Always follow symbol link in SRC_PATH"),
        Flag("quiet", "q", help="Suppress progress output during copy"),
    ),
    least=2,
    most=2,
    operands="container",
    details=(
        "Use '-' as the source to read a tar archive from stdin and extract it to a directory destination in a "
        "container.\nUse '-' as the destination to stream a tar archive of a container source to stdout."
    ),
)


def run(args: Args, streams: Streams) -> int:
    """Copy, and say how much on a terminal."""
    from hardtack.container.copy import copy_in, copy_out, parse_place, tar_in, tar_out
    from hardtack.container.current import current
    from hardtack.store.root import Root

    source, target = args.args
    if not source or not target:
        raise TackError(f"the {'destination' if source else 'source'} can not be empty")
    (from_name, from_path), (to_name, to_path) = parse_place(source), parse_place(target)
    if from_name and to_name:
        raise TackError(
            "copying between containers is not supported", "Copy to the host first, or pipe a tar: cp A:x -"
        )
    if not from_name and not to_name:
        raise TackError("must specify at least one container source", "The form is CONTAINER:PATH")
    root = Root.open(args.root)
    container = current(root, from_name or to_name)
    if from_name and to_path == "-":
        if streams.out_is_terminal:
            raise TackError("refusing to write an archive to a terminal", "Redirect the output to a file or a program")
        tar_out(root, container, from_path, streams.out.buffer.write, args.follow_link)
        streams.out.buffer.flush()
        return 0
    if from_name:
        done = copy_out(root, container, from_path, to_path, args.follow_link, args.archive)
    elif from_path == "-":
        done = tar_in(root, container, to_path, streams.stdin.buffer.read)
    else:
        done = copy_in(root, container, from_path, to_path, args.follow_link)
    _tell(done, target, args.quiet, streams)
    return 0


def _tell(done: Copied, target: str, quiet: bool, streams: Streams) -> None:
    from hardtack.cli.units import size

    if done.skipped:
        count = len(done.skipped)
        word = "device node was" if count == 1 else "device nodes were"
        streams.err.write(f"WARNING: {count} {word} left out, the first is {done.skipped[0]}\n")
    if not quiet and streams.err_is_terminal:
        streams.err.write(f"Successfully copied {size(done.size)} to {target}\n")
