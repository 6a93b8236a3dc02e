"""Every table of a command is sound, and the reference page is what the tables say."""

from __future__ import annotations

from pathlib import Path

import pytest

from hardtack.cli import reference
from hardtack.cli.help import command_help, load
from hardtack.cli.parse import BOOL, BYTES, DURATION, FLOAT, INT, LIST, STRING, Args
from hardtack.cli.table import COMMANDS, GROUPS

MODULES = sorted(
    {entry[0] for entry in COMMANDS.values()} | {entry[0] for _, table in GROUPS.values() for entry in table.values()}
)
PAGE = Path(__file__).parents[3] / "docs" / "reference.md"


@pytest.mark.parametrize("module", MODULES)
def test_a_command_s_table_is_sound(module: str) -> None:
    command = load(module)
    names = [name for flag in command.flags for name in (flag.name, *flag.also)]
    shorts = [flag.short for flag in command.flags if flag.short]
    assert len(set(names)) == len(names), "a flag twice"
    assert len(set(shorts)) == len(shorts), "a letter twice"
    assert "help" not in names
    assert not {flag.attribute for flag in command.flags} & (set(vars(Args())) - {"root"})
    assert command.most is None or command.most >= command.least
    assert command.summary
    assert not command.summary.endswith(".")
    for flag in command.flags:
        assert flag.kind in (BOOL, STRING, LIST, INT, FLOAT, BYTES, DURATION)
        assert len(flag.short) < 2
        assert not flag.name.startswith("-")
        assert flag.help or flag.hidden, f"--{flag.name} has no help"
        assert not flag.help.endswith("."), f"--{flag.name}: help is a sentence without its full stop"
    assert command.usage.startswith("[OPTIONS]") == any(not flag.hidden for flag in command.flags)


@pytest.mark.parametrize("module", MODULES)
def test_its_help_fits_eighty_columns(module: str) -> None:
    lines = command_help("tack x", load(module), 80).splitlines()
    assert max(len(line) for line in lines[2:]) <= 80


def test_the_reference_page_is_what_the_tables_say() -> None:
    assert PAGE.read_text() == reference.page(), "run ./dev docs"
