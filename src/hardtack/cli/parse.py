"""Reading a command line by a table of flags, with the rules of pflag, which docker's hands and scripts rely on.

A command module says what it takes and does what it is for, nothing else:

    from hardtack.cli.parse import BOOL, LIST, Command, Flag

    COMMAND = Command(
        "[OPTIONS] CONTAINER [CONTAINER...]",       # after the command's name; "[OPTIONS]" only if it has flags
        "Remove one or more containers",
        (
            Flag("force", "f", BOOL, help="Force the removal of a running container (uses SIGKILL)"),
            Flag("filter", "", LIST, "filter", "Only those that match"),
        ),
        least=1,                                    # operands: at least, at most (None: any number)
        most=None,
        operands="container",                       # what shells complete them with
    )

    def run(args: Args, streams: Streams) -> int:   # returns the exit code
        for name in args.args:                      # operands
            remove(name, force=args.force)          # one attribute per flag, dashes become underscores
            streams.out.write(name + "\\n")         # streams: .out .err .stdin .out_is_terminal .in_is_terminal
        return 0

`args.given` holds the long names that were really on the line; `args.root` is the global `--root` (None without one).
Failures are raised as `TackError`: only `main` prints them. This module is on the start path and imports nothing.
"""

from __future__ import annotations

from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from hardtack.cli.streams import Streams as Streams  # noqa: PLC0414  mypy needs the word for a name passed on


# The kinds, named as docker's help names the values. BYTES takes 512m, DURATION 1m30s or seconds, FLOAT 1.5.
BOOL = ""
STRING = "string"
LIST = "list"
INT = "int"
FLOAT = "decimal"
BYTES = "bytes"
DURATION = "duration"

_ZERO: dict[str, Any] = {BOOL: False, STRING: "", LIST: (), INT: 0, FLOAT: 0.0, BYTES: 0, DURATION: 0.0}
_UNSET = object()
USAGE_EXIT = 125  # docker's code for flags that it cannot read, whichever the command


class UsageError(TackError):
    """A command line that cannot be read; printed with the usage line of its command."""

    def __init__(self, message: str, exit_code: int = USAGE_EXIT) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class HelpWanted(Exception):
    """`--help` (or `-h` where that means nothing else) was on the line."""


class Flag:
    """One flag of a command.

    Args:
        name: the long name, without dashes.
        short: one letter, or "".
        kind: BOOL, STRING, LIST (may be repeated), INT, FLOAT, BYTES or DURATION.
        metavar: the value's name in help; the kind's where empty.
        help: one sentence without a full stop; may hold several lines.
        default: what the attribute is without the flag; the kind's zero where not given. Help shows it when it is true.
        choices: the only values allowed.
        implied: the value when the flag stands alone; it then takes one only as `--flag=value`.
        also: other long names, accepted and not shown.
        hidden: accepted and not shown, itself.
    """

    __slots__ = (
        "also",
        "attribute",
        "choices",
        "default",
        "help",
        "hidden",
        "implied",
        "kind",
        "metavar",
        "name",
        "short",
    )

    def __init__(
        self,
        name: str,
        short: str = "",
        kind: str = BOOL,
        metavar: str = "",
        help: str = "",  # noqa: A002  the word everybody uses
        default: Any = _UNSET,
        choices: tuple[str, ...] = (),
        implied: str = "",
        also: tuple[str, ...] = (),
        hidden: bool = False,
    ) -> None:
        self.name = name
        self.attribute = name.replace("-", "_")
        self.short = short
        self.kind = kind
        self.metavar = metavar or kind
        self.help = help
        self.default = _ZERO[kind] if default is _UNSET else default
        self.choices = choices
        self.implied = "true" if kind == BOOL else implied
        self.also = also
        self.hidden = hidden

    def shown(self) -> str:
        """`-n, --last`, as errors name it."""
        return f"-{self.short}, --{self.name}" if self.short else f"--{self.name}"


class Command:
    """What a command takes; the one source of parsing, help, completion and the reference page.

    Args:
        usage: what follows the command's name in its usage line.
        summary: one sentence without a full stop.
        flags: in the order of the table; help sorts them.
        least, most: how many operands; `most=None` for any number.
        interspersed: False where flags end at the first operand (run, exec, create).
        operands: what the operands are, for completion: container, running, image, volume, network, file, or
            words with | between them.
        failure: what a failure of the engine exits with where it says nothing itself (run: 125).
        details: more paragraphs for help.
    """

    __slots__ = ("details", "failure", "flags", "interspersed", "least", "most", "operands", "summary", "usage")

    def __init__(
        self,
        usage: str,
        summary: str,
        flags: Sequence[Flag] = (),
        least: int = 0,
        most: int | None = None,
        interspersed: bool = True,
        operands: str = "",
        failure: int = 1,
        details: str = "",
    ) -> None:
        self.usage = usage
        self.summary = summary
        self.flags = flags
        self.least = least
        self.most = most
        self.interspersed = interspersed
        self.operands = operands
        self.failure = failure
        self.details = details


class Args:
    """What a command line said: an attribute per flag and `args`, the operands."""

    def __init__(self, path: str = "") -> None:
        self.path = path  # "tack container rm", for messages
        self.root: str | None = None
        self.args: list[str] = []
        self.given: set[str] = set()

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


def parse(command: Command, words: Sequence[str], path: str = "tack", check_count: bool = True) -> Args:
    """Read the words after a command's name.

    Args:
        command: its table.
        words: the arguments.
        path: the command as it was called, for messages.
        check_count: False leaves the number of operands alone.
    Returns:
        Flags as attributes, operands in `args`.
    Raises:
        UsageError: in docker's words; exit code 125 for flags, 1 for a wrong number of operands.
        HelpWanted: `--help` came first.

    Source: spf13/pflag 1.0, flag.go, parseArgs, parseLongArg, parseSingleShortArg.
    """
    reader = _Reader(command, Args(path))
    reader.read(list(words))
    if check_count:
        _check_count(command, len(reader.args.args), path)
    return reader.args


class _Reader:
    __slots__ = ("args", "by_name", "by_short", "interspersed", "values")

    def __init__(self, command: Command, args: Args) -> None:
        self.args = args
        self.values: dict[str, Any] = args.__dict__
        self.interspersed = command.interspersed
        self.by_name: dict[str, Flag] = {}
        self.by_short: dict[str, Flag] = {}
        for flag in command.flags:
            self.by_name[flag.name] = flag
            for name in flag.also:
                self.by_name[name] = flag
            if flag.short:
                self.by_short[flag.short] = flag
            kind = flag.kind
            self.values[flag.attribute] = list(flag.default) if kind == LIST else flag.default

    def read(self, words: list[str]) -> None:
        operands = self.args.args
        position, end = 0, len(words)
        while position < end:
            word = words[position]
            position += 1
            if len(word) < 2 or word[0] != "-":
                if not self.interspersed:
                    operands += words[position - 1 :]
                    return
                operands.append(word)
            elif word == "--":
                operands += words[position:]
                return
            elif word[1] == "-":
                position += self._long(word, words, position)
            else:
                position += self._shorts(word, words, position)

    def _long(self, word: str, words: list[str], position: int) -> int:
        name, equals, value = word[2:].partition("=")
        if not name or name[0] == "-":
            raise UsageError(f"bad flag syntax: {word}")
        flag = self.by_name.get(name)
        if flag is None:
            if name == "help":
                raise HelpWanted
            raise UsageError(f"unknown flag: --{name}{self._near(name)}")
        if equals:
            self._set(flag, value)
        elif flag.implied:
            self._set(flag, flag.implied)
        elif position < len(words):
            self._set(flag, words[position])
            return 1
        else:
            raise UsageError(f"flag needs an argument: --{name}")
        return 0

    def _near(self, name: str) -> str:
        from hardtack.cli.suggest import nearest

        near = nearest(name, [flag.name for flag in self.by_name.values() if not flag.hidden])
        return "; did you mean " + " or ".join(f"--{word}" for word in dict.fromkeys(near)) + "?" if near else ""

    def _shorts(self, word: str, words: list[str], position: int) -> int:
        rest = word[1:]
        while rest:
            letter, rest = rest[0], rest[1:]
            flag = self.by_short.get(letter)
            if flag is None:
                if letter == "h":
                    raise HelpWanted
                raise UsageError(f"unknown shorthand flag: '{letter}' in {word}")
            if rest[:1] == "=":
                self._set(flag, rest[1:])
                return 0
            if flag.implied:
                self._set(flag, flag.implied)
            elif rest:
                self._set(flag, rest)
                return 0
            elif position < len(words):
                self._set(flag, words[position])
                return 1
            else:
                raise UsageError(f"flag needs an argument: '{letter}' in {word}")
        return 0

    def _set(self, flag: Flag, text: str) -> None:
        self.args.given.add(flag.name)
        kind = flag.kind
        try:
            if flag.choices and text not in flag.choices:
                raise ValueError("must be one of " + ", ".join(flag.choices))
            if kind == LIST:
                self.values[flag.attribute].append(text)
            else:
                self.values[flag.attribute] = text if kind == STRING else _value(kind, text)
        except ValueError as error:
            raise UsageError(f'invalid argument "{text}" for "{flag.shown()}" flag: {error}') from None


def _value(kind: str, text: str) -> object:
    if kind == BOOL:
        return truth(text)
    if kind == INT:
        return _whole(text)
    from hardtack.cli import values

    read: Callable[[str], object] = {
        FLOAT: values.decimal,
        BYTES: values.bytes_of,
        DURATION: values.seconds_of,
    }[kind]
    return read(text)


def truth(text: str) -> bool:
    """A boolean as Go's strconv.ParseBool reads it. Raises ValueError."""
    if text in ("1", "t", "T", "TRUE", "true", "True"):
        return True
    if text in ("0", "f", "F", "FALSE", "false", "False"):
        return False
    raise ValueError("neither true nor false")


def _whole(text: str) -> int:
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 19:
        raise ValueError("not a whole number")
    return int(text)


def _check_count(command: Command, count: int, path: str) -> None:
    least, most = command.least, command.most
    if count >= least and (most is None or count <= most):
        return

    def arguments(number: int) -> str:
        return f"{number} argument" if number == 1 else f"{number} arguments"

    if most == 0:
        wanted = "accepts no arguments"
    elif most == least:
        wanted = f"requires {arguments(least)}"
    elif count < least:
        wanted = f"requires at least {arguments(least)}"
    else:
        wanted = f"requires at most {arguments(most or 0)}"
    raise UsageError(f"'{path}' {wanted}", 1)
