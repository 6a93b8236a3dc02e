"""The reference page, written from the command table: `python -m hardtack.cli.reference docs/reference.md`."""

from __future__ import annotations

import sys

from hardtack.cli import parse as parsing
from hardtack.cli.help import aliases, default_text, load
from hardtack.cli.main import GLOBAL
from hardtack.cli.table import COMMANDS, GROUPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hardtack.cli.parse import Command, Flag

_HEAD = """# Reference

Written by `./dev docs` from the tables that also parse the command line and print `--help`; do not edit it by hand.
Flags follow docker's rules: `-it`, `-p 80:80`, `-p=80:80`, `--flag value`, `--flag=value`, `--rm=false`.
What fails prints one line that begins with `tack:`. Exit codes are docker's: 125 the engine or a flag, 126 not
runnable, 127 not found, 128+n a signal.
"""


def page() -> str:
    """The whole page as Markdown."""
    parts = [_HEAD, "## Global options\n", _flags(GLOBAL.flags), "## Commands\n"]
    for name in sorted(COMMANDS):
        parts.append(_command(f"tack {name}", COMMANDS[name][0]))
    for group, (summary, table) in sorted(GROUPS.items()):
        parts.append(f"## tack {group}\n\n{summary}.\n")
        known = {entry[0] for entry in COMMANDS.values()}
        same = [f"`{word}`" for word in sorted(table) if table[word][0] in known]
        if same:
            parts.append("The same as the command without the group's name: " + ", ".join(same) + ".\n")
        for word in sorted(table):
            if table[word][0] not in known:
                parts.append(_command(f"tack {group} {word}", table[word][0]))
    return "\n".join(parts)


def _command(path: str, module: str) -> str:
    command: Command = load(module)
    parts = [f"### {path}\n", f"{command.summary}.\n", f"```\n{path} {command.usage}".rstrip() + "\n```\n"]
    if command.details:
        parts.append(command.details + "\n")
    names = [name for name in aliases(path) if name != path]
    if names:
        parts.append("Also: " + ", ".join(f"`{name}`" for name in names) + ".\n")
    if any(not flag.hidden for flag in command.flags):
        parts.append(_flags(command.flags))
    return "\n".join(parts)


def _flags(flags: Iterable[Flag]) -> str:
    lines = ["| flag | value | meaning |", "| --- | --- | --- |"]
    for flag in sorted(flags, key=lambda flag: flag.name):
        if flag.hidden:
            continue
        text = " ".join((flag.help + default_text(flag)).split()).replace("|", "\\|").replace("<", "&lt;")
        value = flag.metavar if flag.kind != parsing.BOOL else ""
        lines.append(f"| `{flag.shown()}` | {value.replace('|', chr(92) + '|')} | {text} |")
    return "\n".join(lines) + "\n"


def main(path: str) -> None:
    """Write the page to a file."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(page())


if __name__ == "__main__":
    main(sys.argv[1])
