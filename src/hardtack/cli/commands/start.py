"""`tack start`: start containers that exist; watch one with -a."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, STRING, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams
    from hardtack.store.root import Root

COMMAND = Command(
    "[OPTIONS] CONTAINER [CONTAINER...]",
    "Start one or more stopped containers",
    (
        Flag("attach", "a", BOOL, help="Attach STDOUT/STDERR and forward signals"),
        Flag("detach-keys", "", STRING, help="Override the key sequence for detaching a container"),
        Flag("interactive", "i", BOOL, help="Attach container's STDIN"),
    ),
    least=1,
    operands="container",
)


def run(args: Args, streams: Streams) -> int:
    """Start each and print its name, or watch one; the exit code is then the container's."""
    from hardtack.container.errors import StartFailed
    from hardtack.store.root import Root

    root = Root.open(args.root)
    try:
        if args.attach or args.interactive:
            return _attached(args, streams, root)
        return _detached(args, streams, root)
    except StartFailed as failure:
        failure.exit_code = 1  # the codes 125 to 127 are for run alone
        raise


def _detached(args: Args, streams: Streams, root: Root) -> int:
    from hardtack.cli.several import each, finish
    from hardtack.container.current import current
    from hardtack.container.start import Pad, take

    def one(name: str) -> None:
        with Pad(root) as pad:
            container = take(root, current(root, name).id)
            if container is not None:
                session = pad.go(container)
                session.close()
                streams.err.write("".join(f"WARNING: {note}\n" for note in session.notes))
        streams.out.write(f"{name}\n")

    return finish(each(args.args, one, streams), streams)


def _attached(args: Args, streams: Streams, root: Root) -> int:
    from hardtack.cli.attaching import check_terminal, follow, follow_running
    from hardtack.container.current import current
    from hardtack.container.start import Pad, take
    from hardtack.errors import TackError

    if len(args.args) > 1:
        raise TackError("you cannot start and attach multiple containers at once")
    with Pad(root) as pad:
        found = current(root, args.args[0])
        stdin = args.interactive and found.config.get("OpenStdin", False)
        terminal = found.config.get("Tty", False)
        check_terminal(stdin, terminal)
        container = take(root, found.id)
        if container is None:
            return follow_running(root, found, stdin, args.detach_keys, not terminal, streams)
        wants = frozenset(("stdout", "stderr", "stdin") if stdin else ("stdout", "stderr"))
        session = pad.go(container, wants)
    return follow(session, stdin, terminal, args.detach_keys, not terminal, streams)
