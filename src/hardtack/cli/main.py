"""The entry point: global flags, one command's module imported and run, every failure turned into a line and a code.

Nothing is printed elsewhere when something fails. No failure shows a traceback unless `--debug` asks for it.
"""

from __future__ import annotations

import posix
import sys

from hardtack.cli import parse as parsing
from hardtack.cli.streams import Streams
from hardtack.cli.table import COMMANDS, GROUPS, groups_within
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn

    from hardtack.cli.parse import Args, Command

GLOBAL = parsing.Command(
    "[OPTIONS] COMMAND",
    "Images, containers and registries in one place, without a daemon",
    (
        parsing.Flag("config", "", parsing.STRING, "string", "Folder of the client's configuration and credentials"),
        parsing.Flag("debug", "D", help="Show where a failure came from"),
        parsing.Flag("host", "H", parsing.LIST, "list", hidden=True),
        parsing.Flag("context", "c", parsing.STRING, "string", hidden=True),
        parsing.Flag("root", "", parsing.STRING, "directory", "Where images, containers and volumes are kept"),
        parsing.Flag("version", "v", help="Show the version and quit"),
    ),
    interspersed=False,
)
_OTHER_NAMES = {"list": "ls", "remove": "rm", "ps": "ls"}
_INTERRUPTED = 130


class _Call:
    """What the command line turned out to mean; filled as far as reading came."""

    __slots__ = ("command", "debug", "path")

    def __init__(self) -> None:
        self.path = "tack"
        self.command: Command = GLOBAL
        self.debug = False


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        argv: the words after `tack`; the process's own without.
    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    _fill_standard_streams()
    streams = Streams()
    call = _Call()
    try:
        try:
            code = _dispatch(words, streams, call)
        except parsing.HelpWanted:
            code = _help(streams, call)
        streams.out.flush()
        return code
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (Exception, RecursionError, MemoryError) as error:  # noqa: BLE001  the edge: everything ends as a line
        from hardtack.cli.failure import report

        return report(error, streams, call.path, call.command, call.debug)


def _fill_standard_streams() -> None:
    """A caller may have closed some of 0, 1 and 2. Then the next file that is opened would pass for our output."""
    for descriptor in (0, 1, 2):
        try:
            posix.fstat(descriptor)
        except OSError:
            posix.open("/dev/null", posix.O_RDWR)  # takes the lowest free number: this one


def _dispatch(words: list[str], streams: Streams, call: _Call) -> int:
    root = None
    if words and words[0][:1] == "-":
        args = parsing.parse(GLOBAL, words)
        call.debug, root, words = args.debug, args.root or None, args.args
        _apply_globals(args)
        if args.version:
            words = ["version", "--short"]
    if not words or words[0] == "help":
        from hardtack.cli.help import show_help

        return show_help(words[1:], streams)
    if words[0] == "__complete":
        from hardtack.cli.completion import write_answers

        return write_answers(words[1:], streams)
    module_name, rest = _resolve(words, call)
    if not module_name:
        raise parsing.HelpWanted
    call.command, run = load(module_name)
    args = parsing.parse(call.command, rest, call.path)
    if not args.__dict__.get("disable_content_trust", True):
        raise TackError(
            "cannot verify signatures of content trust (Notary): --disable-content-trust=false is not supported",
            "Leave the flag out, and name the image by its digest to be sure of it",
        )
    if "root" not in args.given:
        args.root = root if root is not None else args.root
    return run(args, streams)


def _apply_globals(args: Args) -> None:
    if args.host or args.context:
        flag = "--host" if args.host else "--context"
        raise TackError(
            f"cannot use {flag}: tack works on this host's store itself, there is no daemon to connect to",
            "Use --root for another store, or ssh HOST tack … for another host",
        )
    if args.config:
        import os

        os.environ["DOCKER_CONFIG"] = args.config


def _resolve(words: list[str], call: _Call) -> tuple[str, list[str]]:
    """The module of a command and its words; "" when a group stands alone."""
    name, rest = words[0], words[1:]
    entry = COMMANDS.get(name)
    call.path = f"tack {name}"
    if entry is not None:
        return entry[0], rest
    if name not in GROUPS:
        _unknown(call.path, name, "tack", list(COMMANDS) + list(GROUPS))
    group = name
    while True:
        summary, table = GROUPS[group]
        call.command = parsing.Command("COMMAND", summary)
        if not rest or rest[0] in ("--help", "-h", "help"):
            return "", rest
        name, rest = rest[0], rest[1:]
        if name[:1] == "-":
            raise parsing.UsageError(f"unknown flag: {name}")
        entry = table.get(name) or table.get(_OTHER_NAMES.get(name, name))
        parent, call.path = call.path, f"{call.path} {name}"
        if entry is not None:
            return entry[0], rest
        group = f"{group} {name}"
        if group not in GROUPS:
            _unknown(call.path, name, parent, [*table, *groups_within(group.rpartition(" ")[0])])


def _unknown(path: str, name: str, parent: str, known: list[str]) -> NoReturn:
    from hardtack.cli.suggest import absent, nearest

    instead = absent(path)
    if instead is not None:
        raise TackError(f"cannot run {path}: docker has this command, tack does not have it yet", instead)
    near = nearest(name, known)
    hint = "Did you mean " + " or ".join(f"'{parent} {word}'" for word in near) + "?" if near else ""
    raise TackError(f"unknown command: {path}", (hint + " " if hint else "") + f"Run '{parent} --help' for all")


def load(name: str) -> tuple[Command, Callable[[Args, Streams], int]]:
    """A command's table and what runs it, by the name that `cli.table` has for it."""
    name, _, verb = name.partition(":")
    full = f"hardtack.cli.commands.{name}"
    __import__(full)
    module: Any = sys.modules[full]
    return module.VERBS[verb] if verb else (module.COMMAND, module.run)


def _help(streams: Streams, call: _Call) -> int:
    from hardtack.cli.help import show_call

    return show_call(call.path, call.command, streams)


def script() -> NoReturn:
    """Run as a process: the console script's entry point.

    Leaves without taking the interpreter apart, which nobody would see and which costs milliseconds.
    """
    code = main()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            pass
    atexit = sys.modules.get("atexit")
    if atexit is not None:
        atexit._run_exitfuncs()
    posix._exit(code)
