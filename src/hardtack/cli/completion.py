"""What may come next on a command line: for shells, which ask with `tack __complete WORDS…`.

Answers come from the same tables as parsing and help; names of containers, images, networks and volumes come from the
commands that list them. Whatever fails gives no answer: a shell must never see an error here.
"""

from __future__ import annotations

from hardtack.cli.parse import BOOL, Command, Flag, parse
from hardtack.cli.table import COMMANDS, GROUPS, groups_within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.streams import Streams
    from hardtack.cli.table import Table

    Answer = tuple[str, str]  # the word, and what it is

FILES = ":files"  # the line that tells the shell to offer names of files
_LISTINGS = {
    "container": ["ps", "--all", "--format", "{{.Names}}"],
    "running": ["ps", "--format", "{{.Names}}"],
    "image": ["images", "--format", "{{.Repository}}:{{.Tag}}"],
    "network": ["network", "ls", "--format", "{{.Name}}"],
    "volume": ["volume", "ls", "--format", "{{.Name}}"],
}
_FLAG_VALUES = {"network": "network", "net": "network", "volumes-from": "container", "link": "container"}
_FILE_FLAGS = frozenset({"file", "input", "output", "env-file", "label-file", "cidfile", "iidfile", "config", "root"})


def write_answers(words: list[str], streams: Streams) -> int:
    """Print a line per answer, `word<TAB>description`; the last of the words is the one being typed."""
    try:
        answers = answer(words or [""])
    except Exception:  # noqa: BLE001  no shell wants an error in the middle of a line
        answers = []
    for word, description in answers:
        streams.out.write(f"{word}\t{description}\n" if description else f"{word}\n")
    return 0


def answer(words: list[str]) -> list[Answer]:
    """The words that may stand in place of the last one."""
    from hardtack.cli.main import GLOBAL

    *before, current = words
    position = _after_globals(before, GLOBAL)
    if position < 0:
        return [(FILES, "")]
    before = before[position:]
    if not before:
        if current.startswith("-"):
            return _starting(_flag_words(GLOBAL), current)
        return _starting(_members("", COMMANDS), current)
    name, rest = before[0], before[1:]
    table = COMMANDS
    group = name
    while group in GROUPS and name not in table:
        table = GROUPS[group][1]
        if not rest:
            return _starting(_members(group, table), current)
        name, rest = rest[0], rest[1:]
        group = f"{group} {name}"
    entry = table.get(name)
    if entry is None:
        return []
    from hardtack.cli.help import load

    return _in_command(load(entry[0]), rest, current)


def _members(group: str, table: Table) -> list[Answer]:
    within = list(groups_within(group).items())
    return sorted([(name, entry[1]) for name, entry in table.items()] + within)


def _after_globals(words: list[str], command: Command) -> int:
    """How many words the global flags take; -1 when the last of them still wants its value."""
    position = 0
    while position < len(words) and words[position].startswith("-"):
        flag = _flag(command, words[position])
        position += 1
        if flag is not None and "=" not in words[position - 1] and flag.kind != BOOL:
            position += 1
    return position if position <= len(words) else -1


def _flag(command: Command, word: str) -> Flag | None:
    name = word.partition("=")[0]
    for flag in command.flags:
        if name == f"--{flag.name}" or name[2:] in flag.also:
            return flag
    if word[:1] == "-" and word[:2] != "--":
        # the last letter of a bundle decides whether a value follows
        return next((flag for flag in command.flags if flag.short and word[-1] == flag.short), None)
    return None


def _in_command(command: Command, words: list[str], current: str) -> list[Answer]:
    operands = 0
    waiting: Flag | None = None
    for word in words:
        if waiting is not None:
            waiting = None
        elif operands and not command.interspersed:
            operands += 1
        elif word.startswith("-") and len(word) > 1:
            flag = _flag(command, word)
            waiting = flag if flag is not None and not flag.implied and "=" not in word else None
        else:
            operands += 1
    if waiting is not None:
        return _starting(_values(waiting), current)
    if operands and not command.interspersed:
        return [(FILES, "")]
    if current.startswith("--") and "=" in current:
        name, _, typed = current.partition("=")
        flag = _flag(command, name)
        found = _starting(_values(flag), typed) if flag is not None else []
        return [(word if word == FILES else f"{name}={word}", text) for word, text in found]
    if current.startswith("-"):
        return _starting(_flag_words(command), current)
    if command.most is not None and operands >= command.most:
        return []
    return _starting(_named(command.operands), current)


def _values(flag: Flag) -> list[Answer]:
    if flag.choices:
        return [(choice, "") for choice in flag.choices]
    if flag.name in _FILE_FLAGS:
        return [(FILES, "")]
    return _named(_FLAG_VALUES.get(flag.name, ""))


def _flag_words(command: Command) -> list[Answer]:
    found = [(f"--{flag.name}", flag.help.partition("\n")[0]) for flag in command.flags if not flag.hidden]
    return [*sorted(found), ("--help", "Show help")]


def _starting(answers: list[Answer], current: str) -> list[Answer]:
    return [pair for pair in answers if pair[0].startswith(current) or pair[0] == FILES]


def _named(kind: str) -> list[Answer]:
    """Names of what is there, from the command that lists it."""
    if kind in ("", "file"):
        return [(FILES, "")]
    if "|" in kind:
        return [(word, "") for word in kind.split("|")]
    if kind not in _LISTINGS:
        return []
    from io import StringIO

    from hardtack.cli.main import load
    from hardtack.cli.streams import Streams

    words = _LISTINGS[kind]
    grouped = words[0] in GROUPS
    module = GROUPS[words[0]][1][words[1]][0] if grouped else COMMANDS[words[0]][0]
    command, run = load(module)
    streams = Streams()
    streams.out = StringIO()
    run(parse(command, words[2 if grouped else 1 :]), streams)
    names = streams.out.getvalue().replace(",", "\n").split()
    return [(name, "") for name in dict.fromkeys(names) if "<none>" not in name]
