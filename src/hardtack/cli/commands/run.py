"""`tack run`: make a container of an image, start it, and watch it or leave it alone."""

from __future__ import annotations

import os

from hardtack.cli.container_flags import FLAGS, make_container
from hardtack.cli.parse import BOOL, STRING, Command, Flag
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    "Create and run a new container from an image",
    (
        *FLAGS,
        Flag("detach", "d", BOOL, help="Run container in background and print container ID"),
        Flag("detach-keys", "", STRING, help="Override the key sequence for detaching a container"),
        Flag("sig-proxy", "", BOOL, help="Proxy received signals to the process", default=True),
    ),
    least=1,
    interspersed=False,
    operands="image",
    failure=125,
)


def run(args: Args, streams: Streams) -> int:
    """Run; the exit code is the container's."""
    from hardtack.container.start import Pad
    from hardtack.container.wanted import attached_streams
    from hardtack.linux.tty import is_terminal, window_size
    from hardtack.store.root import Root

    wants = attached_streams(args)
    if args.tty and "stdin" in wants and not is_terminal(0):
        raise TackError("cannot attach stdin to a TTY-enabled container because stdin is not a terminal")
    if os.geteuid() != 0:
        from hardtack.cli.privilege import NeedsRoot

        raise NeedsRoot(f"run {args.args[0]}")
    root = Root.open(args.root)
    with Pad(root) as pad:
        container = make_container(args, streams, root, claimed=True)
        session = pad.go(container, wants, window_size(1) if args.tty else (0, 0))
    for note in session.notes:
        streams.err.write(f"WARNING: {note}\n")
    if args.detach:
        streams.out.write(f"{container.id}\n")
        session.close()
        return 0
    from hardtack.cli.attaching import follow

    return follow(session, "stdin" in wants, args.tty, args.detach_keys, args.sig_proxy and not args.tty, streams)
