"""`tack exec`: one more process in a running container."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, LIST, STRING, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS] CONTAINER COMMAND [ARG...]",
    "Execute a command in a running container",
    (
        Flag("detach", "d", BOOL, help="Detached mode: run command in the background"),
        Flag("detach-keys", "", STRING, help="Override the key sequence for detaching a container"),
        Flag("env", "e", LIST, help="Set environment variables"),
        Flag("env-file", "", LIST, help="Read in a file of environment variables"),
        Flag("interactive", "i", BOOL, help="Keep STDIN open even if not attached"),
        Flag("privileged", "", BOOL, help="Give extended privileges to the command"),
        Flag("tty", "t", BOOL, help="Allocate a pseudo-TTY"),
        Flag("user", "u", STRING, help="Username or UID (format: <name|uid>[:<group|gid>])"),
        Flag("workdir", "w", STRING, help="Working directory inside the container"),
    ),
    least=2,
    interspersed=False,
    operands="container",
)


def run(args: Args, streams: Streams) -> int:
    """Run the command; the exit code is its own."""
    from hardtack.cli.attaching import check_terminal
    from hardtack.container.client import DEFAULT_KEYS, DETACHED, parse_keys
    from hardtack.container.exec_ import Request, exec_
    from hardtack.store.root import Root

    if args.tty and args.interactive and not args.detach:
        check_terminal(True, True)
    request = Request(
        args.args[1:],
        _environment(args),
        args.user,
        args.workdir,
        args.tty,
        args.interactive,
        args.detach,
        args.privileged,
    )
    streams.out.flush()
    keys = parse_keys(args.detach_keys or DEFAULT_KEYS)
    code = exec_(Root.open(args.root), args.args[0], request, keys)
    if code == DETACHED:
        streams.err.write("read escape sequence\n")
        return 0
    return code


def _environment(args: Args) -> list[str]:
    if not args.env and not args.env_file:
        return []
    import os

    from hardtack.container import values

    given = []
    for name in args.env_file:
        with open(name, encoding="utf-8") as file:
            given += values.env_file(file.read(), name)
    return values.environment([*given, *args.env], os.environ)
