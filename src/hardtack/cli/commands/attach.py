"""`tack attach`: the streams of a running container, here."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, STRING, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS] CONTAINER",
    "Attach local standard input, output, and error streams to a running container",
    (
        Flag("detach-keys", "", STRING, help="Override the key sequence for detaching a container"),
        Flag("no-stdin", "", BOOL, help="Do not attach STDIN"),
        Flag("sig-proxy", "", BOOL, help="Proxy all received signals to the process", default=True),
    ),
    least=1,
    most=1,
    operands="container",
)


def run(args: Args, streams: Streams) -> int:
    """Watch until the container ends or the detach keys are typed; the exit code is the container's."""
    from hardtack.cli.attaching import check_terminal, follow_running
    from hardtack.container import states
    from hardtack.container.current import current
    from hardtack.errors import TackError
    from hardtack.store.root import Root

    root = Root.open(args.root)
    container = current(root, args.args[0])
    if container.state == states.PAUSED:
        raise TackError("You cannot attach to a paused container, unpause it first")
    if container.state == states.RESTARTING:
        raise TackError("You cannot attach to a restarting container, wait until it is running")
    if container.state != states.RUNNING:
        raise TackError("You cannot attach to a stopped container, start it first")
    terminal = container.config.get("Tty", False)
    stdin = not args.no_stdin and container.config.get("OpenStdin", False)
    check_terminal(stdin, terminal)
    return follow_running(root, container, stdin, args.detach_keys, args.sig_proxy and not terminal, streams)
