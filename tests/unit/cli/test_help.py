"""Help and the reference page come from the tables and fit the terminal."""

from __future__ import annotations

import pytest

from hardtack.cli import help as module
from hardtack.cli import suggest
from hardtack.cli.parse import BOOL, INT, LIST, STRING, Command, Flag
from hardtack.cli.table import COMMANDS, GROUPS

COMMAND = Command(
    "[OPTIONS] THING",
    "Do something with a thing",
    (
        Flag("zeta", "z", BOOL, help="The last"),
        Flag("alpha", "", LIST, "list", "The first of all the flags, with words enough that its line must break"),
        Flag("count", "n", INT, help="How many", default=3),
        Flag("mode", "", STRING, help="How:\n'one': this way\n'two': that way", default="one"),
        Flag("on", "", BOOL, help="Whether", default=True),
        Flag("secret", "", BOOL, hidden=True),
    ),
    details="A paragraph.\n\nAnother.",
)


def test_a_command_s_help_lists_its_flags_by_name_with_defaults() -> None:
    assert module.command_help("tack version", COMMAND, 60) == (
        "Usage:  tack version [OPTIONS] THING\n"
        "\n"
        "Do something with a thing\n"
        "\n"
        "A paragraph.\n"
        "\n"
        "Another.\n"
        "\n"
        "Options:\n"
        "      --alpha list    The first of all the flags, with words\n"
        "                      enough that its line must break\n"
        "  -n, --count int     How many (default 3)\n"
        "      --mode string   How:\n"
        "                      'one': this way\n"
        "                      'two': that way (default \"one\")\n"
        "      --on            Whether (default true)\n"
        "  -z, --zeta          The last\n"
    )


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    for text in (
        module.program_help(columns),
        module.group_help("image", columns),
        module.command_help("tack version", COMMAND, columns),
    ):
        assert max(len(line) for line in text.splitlines()) <= columns


def test_every_command_and_group_is_in_the_program_s_help() -> None:
    words = {line.split()[0] for line in module.program_help(200).splitlines() if line.startswith("  ")}
    assert words >= set(COMMANDS) | {name for name in GROUPS if " " not in name}


def test_aliases_are_every_way_to_the_same_module() -> None:
    assert module.aliases("tack images") == ["tack image ls", "tack images"]
    assert module.aliases("tack container rm") == ["tack container rm", "tack rm"]
    assert module.aliases("tack nothing") == []


def test_the_width_comes_from_the_environment_and_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from hardtack.cli.streams import Streams

    for columns, expected in (("100", 100), ("1", 40), ("9999", 160), ("x", 80), ("", 80)):
        monkeypatch.setenv("COLUMNS", columns)
        assert module.width(Streams()) == expected


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("pul", ["pull"]),
        ("psu", ["ps"]),
        ("runn", ["run"]),
        ("inpsect", ["inspect"]),
        ("exec", ["exec"]),
        ("zzzzzz", []),
    ],
)
def test_slips_of_the_hand_find_their_word(word: str, near: list[str]) -> None:
    assert suggest.nearest(word, COMMANDS)[: len(near)] == near
    assert bool(suggest.nearest(word, COMMANDS)) == bool(near)


def test_distance_counts_insertions_removals_replacements_and_swaps() -> None:
    assert [suggest.distance(*pair) for pair in (("", "abc"), ("abc", "abc"), ("abc", "acb"), ("abc", "axc"))] == [
        3,
        0,
        1,
        1,
    ]
    assert suggest.nearest("x" * 10_000, COMMANDS) == []
