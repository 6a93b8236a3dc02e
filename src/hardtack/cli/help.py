"""Help from the tables: the program's, a group's, a command's, in docker's layout and as wide as the terminal."""

from __future__ import annotations

import os

from hardtack.cli import parse as parsing
from hardtack.cli.table import COMMANDS, GROUPS, groups_within
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hardtack.cli.parse import Command, Flag, Streams

COMMON = ("run", "exec", "ps", "build", "pull", "push", "images", "login", "logout", "search", "version", "info")


def width(streams: Streams) -> int:
    """Columns to fill: COLUMNS, the terminal's, or 80; never narrower than 40 nor wider than 160."""
    columns = os.environ.get("COLUMNS", "")
    if not columns.isdecimal():
        try:
            columns = str(os.get_terminal_size(streams.out.fileno()).columns)
        except (OSError, ValueError):
            columns = "80"
    return max(40, min(160, int(columns) or 80))


def show_help(words: list[str], streams: Streams) -> int:
    """`tack help [COMMAND…]`.

    Raises:
        TackError: no such command.
    """
    name = " ".join(words)
    if not words:
        streams.out.write(program_help(width(streams)))
        return 0
    table = COMMANDS if len(words) == 1 else GROUPS.get(" ".join(words[:-1]), ("", {}))[1]
    entry = table.get(words[-1])
    if entry is None and name not in GROUPS:
        raise TackError(f"unknown help topic: {name}", "Run 'tack --help' for all commands")
    if entry is None:
        return show_call(f"tack {name}", parsing.Command("COMMAND", GROUPS[name][0]), streams)
    return show_call(f"tack {name}", load(entry[0]), streams)


def show_call(path: str, command: Command, streams: Streams) -> int:
    """Help for whatever was called when `--help` came."""
    name = path.partition(" ")[2]
    if not name:
        text = program_help(width(streams))
    elif name in GROUPS:
        text = group_help(name, width(streams))
    else:
        text = command_help(path, command, width(streams))
    streams.out.write(text)
    return 0


def load(module: str) -> Command:
    """The table of a command, by its module's name."""
    from hardtack.cli import main

    return main.load(module)[0]


def program_help(columns: int) -> str:
    """What `tack --help` prints."""
    from hardtack.cli.main import GLOBAL

    listed = [name for name in COMMON if name in COMMANDS]
    others = sorted(name for name in COMMANDS if name not in COMMON)
    parts = [
        f"Usage:  tack {GLOBAL.usage}\n",
        _paragraph(GLOBAL.summary, columns),
        _section("Common Commands", ((name, COMMANDS[name][1]) for name in listed), columns),
        _section("Management Commands", sorted(groups_within("").items()), columns),
        _section("Commands", ((name, COMMANDS[name][1]) for name in others), columns),
        "Global Options:\n" + flags_help(GLOBAL.flags, columns),
        _more("tack", columns),
    ]
    return "\n".join(parts)


def _more(path: str, columns: int) -> str:
    return _paragraph(f"Run '{path} COMMAND --help' for more information on a command.", columns)


def _paragraph(text: str, columns: int) -> str:
    return "\n".join(wrap(text, columns)) + "\n"


def group_help(name: str, columns: int) -> str:
    """What `tack GROUP --help` prints."""
    summary, table = GROUPS[name]
    within = groups_within(name)
    parts = [f"Usage:  tack {name} COMMAND\n", _paragraph(summary, columns)]
    if within:
        parts.append(_section("Management Commands", sorted(within.items()), columns))
    parts.append(_section("Commands", ((word, table[word][1]) for word in sorted(table)), columns))
    parts.append(_more(f"tack {name}", columns))
    return "\n".join(parts)


def command_help(path: str, command: Command, columns: int) -> str:
    """What `tack COMMAND --help` prints."""
    parts = [f"Usage:  {path} {command.usage}".rstrip() + "\n", _paragraph(command.summary, columns)]
    for paragraph in command.details.split("\n\n") if command.details else ():
        parts.append(_paragraph(paragraph, columns))
    names = aliases(path)
    if len(names) > 1:
        parts.append("Aliases:\n  " + ", ".join(names) + "\n")
    if any(not flag.hidden for flag in command.flags):
        parts.append("Options:\n" + flags_help(command.flags, columns))
    return "\n".join(parts)


def aliases(path: str) -> list[str]:
    """Every way to call the command that a path names, groups first."""
    words = path.split()[1:]
    table = GROUPS[" ".join(words[:-1])][1] if len(words) > 1 else COMMANDS
    module = table.get(words[-1], ("", ""))[0]
    if not module:
        return []
    return [
        f"tack {group} {name}"
        for group, (_, entries) in sorted(GROUPS.items())
        for name, entry in entries.items()
        if entry[0] == module
    ] + [f"tack {name}" for name, entry in COMMANDS.items() if entry[0] == module]


def flags_help(flags: Iterable[Flag], columns: int) -> str:
    """The list of flags, sorted by name, their help wrapped beside them."""
    rows = []
    for flag in sorted(flags, key=lambda flag: flag.name):
        if not flag.hidden:
            short = f"-{flag.short}, " if flag.short else "    "
            rows.append((f"  {short}--{flag.name} {flag.metavar}".rstrip(), flag.help + default_text(flag)))
    left = max((len(head) for head, _ in rows), default=0) + 3
    if left > columns - 24:
        left = 10
    lines = []
    for head, text in rows:
        wrapped = wrap(text, columns - left)
        if len(head) < left:
            lines.append((head.ljust(left) + wrapped.pop(0)).rstrip())
        else:
            lines.append(head)
        lines += [" " * left + line for line in wrapped]
    return "\n".join(lines) + "\n" if lines else ""


def default_text(flag: Flag) -> str:
    """` (default …)`, or nothing where the default is nothing."""
    value = flag.default
    if not value or isinstance(value, (list, tuple)):
        return ""
    if flag.kind == parsing.BOOL:
        return " (default true)"
    if isinstance(value, str):
        return f' (default "{value}")'
    return f" (default {value:g})" if isinstance(value, float) else f" (default {value})"


def _section(title: str, rows: Iterable[tuple[str, str]], columns: int) -> str:
    listed = list(rows)
    left = max(len(name) for name, _ in listed) + 3
    lines = [f"{title}:"]
    for name, summary in listed:
        wrapped = wrap(summary, columns - left - 2)
        lines.append(f"  {name:<{left}}{wrapped[0]}")
        lines += [" " * (left + 2) + line for line in wrapped[1:]]
    return "\n".join(lines) + "\n"


def wrap(text: str, columns: int) -> list[str]:
    """Break a text into lines of at most so many columns, at spaces; a longer word keeps its line."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            if line and len(line) + 1 + len(word) > columns:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line)
    return lines
