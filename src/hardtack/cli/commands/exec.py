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
    import _thread

    from hardtack.linux import cgroup

    # The kernel takes some 10 ms to get ready for moving a process between groups: meanwhile there is much to import.
    _thread.start_new_thread(cgroup.warm_up, ())
    from hardtack.container.exec_ import Request, exec_
    from hardtack.store.root import Root

    keys = _keys(args)
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
    code = exec_(Root.open(args.root), args.args[0], request, keys)
    if code < 0:  # the detach keys were typed
        streams.err.write("read escape sequence\n")
        return 0
    return code


def _keys(args: Args) -> bytes:
    if not args.tty or args.detach:
        return b""
    from hardtack.cli.attaching import check_terminal
    from hardtack.container.keys import DEFAULT_KEYS, parse_keys

    check_terminal(args.interactive, True)
    return parse_keys(args.detach_keys or DEFAULT_KEYS)


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
