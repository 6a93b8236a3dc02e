"""`tack run`: make a container of an image, start it, and watch it or leave it alone."""

from __future__ import annotations

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
    from hardtack.store.root import Root

    wants = _wanted(args)
    root = Root.open(args.root)
    with Pad(root) as pad:
        container = make_container(args, streams, root, claimed=True)
        session = pad.go(
            container, frozenset() if args.detach else wants, stdin_once=args.interactive and not args.detach
        )
    if args.detach:
        streams.out.write(f"{container.id}\n")
        session.close()
        return 0
    from hardtack.cli.attaching import follow

    return follow(session, "stdin" in wants, args.tty, args.detach_keys, args.sig_proxy and not args.tty, streams)


def _wanted(args: Args) -> frozenset[str]:
    """The streams to attach. Raises TackError for what cannot be."""
    if args.detach and args.attach:
        raise TackError("Conflicting options: -a and -d")
    chosen = {name.lower() for name in args.attach}
    if unknown := chosen - {"stdin", "stdout", "stderr"}:
        raise TackError(f"invalid argument {unknown.pop()!r} for --attach: valid streams are STDIN, STDOUT and STDERR")
    if not chosen:
        chosen = {"stdout", "stderr"} | ({"stdin"} if args.interactive else set())
    if args.tty and "stdin" in chosen and not args.detach:
        from hardtack.linux.tty import is_terminal

        if not is_terminal(0):
            raise TackError("cannot attach stdin to a TTY-enabled container because stdin is not a terminal")
    return frozenset(chosen)
