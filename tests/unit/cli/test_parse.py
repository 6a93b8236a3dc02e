"""The command line is read by pflag's rules, and refused in docker's words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardtack.cli.parse import (
    BOOL,
    BYTES,
    DURATION,
    FLOAT,
    INT,
    LIST,
    STRING,
    Args,
    Command,
    Flag,
    HelpWanted,
    UsageError,
    parse,
)

FLAGS = (
    Flag("interactive", "i", BOOL),
    Flag("tty", "t", BOOL),
    Flag("rm", "", BOOL),
    Flag("sig-proxy", "", BOOL, default=True),
    Flag("publish", "p", LIST),
    Flag("env", "e", LIST),
    Flag("network", "", STRING, also=("net",)),
    Flag("name", "", STRING),
    Flag("last", "n", INT, default=-1),
    Flag("memory", "m", BYTES),
    Flag("cpus", "", FLOAT),
    Flag("time", "", DURATION, default=None),
    Flag("pull", "", STRING, default="missing", choices=("always", "missing", "never")),
    Flag("progress", "", STRING, implied="plain"),
    Flag("hostname", "h", STRING),
)
RUN = Command("[OPTIONS] IMAGE [COMMAND] [ARG...]", "Run", FLAGS, least=1, interspersed=False)
PS = Command("[OPTIONS]", "List", FLAGS, most=0)
RM = Command("[OPTIONS] CONTAINER [CONTAINER...]", "Remove", (Flag("force", "f", BOOL),), least=1)


def read(line: str, command: Command = RUN) -> Args:
    return parse(command, line.split(), "tack x", check_count=False)


@pytest.mark.parametrize(
    ("line", "attribute", "value"),
    [
        ("--rm img", "rm", True),
        ("--rm=false img", "rm", False),
        ("--rm=T img", "rm", True),
        ("--rm=0 img", "rm", False),
        ("img", "sig_proxy", True),
        ("--sig-proxy=false img", "sig_proxy", False),
        ("-it img", "interactive", True),
        ("-it img", "tty", True),
        ("-it=false img", "tty", False),
        ("-it=false img", "interactive", True),
        ("-p 80:80 img", "publish", ["80:80"]),
        ("-p=80:80 img", "publish", ["80:80"]),
        ("-p80:80 img", "publish", ["80:80"]),
        ("-p 1:1 --publish 2:2 --publish=3:3 img", "publish", ["1:1", "2:2", "3:3"]),
        ("-itp 80:80 img", "publish", ["80:80"]),
        ("-itp80 img", "publish", ["80"]),
        ("-e A=b=c img", "env", ["A=b=c"]),
        ("--env=A=b img", "env", ["A=b"]),
        ("--env= img", "env", [""]),
        ("-e=A=b img", "env", ["A=b"]),
        ("--name -x img", "name", "-x"),
        ("--name -- img", "name", "--"),
        ("--name a --name b img", "name", "b"),
        ("--net host img", "network", "host"),
        ("--network=host img", "network", "host"),
        ("img", "network", ""),
        ("img", "publish", []),
        ("-n 5", "last", 5),
        ("-n-5", "last", -5),
        ("img", "last", -1),
        ("-m 512m img", "memory", 512 << 20),
        ("--cpus 1.5 img", "cpus", 1.5),
        ("--time 1m30s img", "time", 90.0),
        ("--time 10 img", "time", 10.0),
        ("img", "time", None),
        ("img", "pull", "missing"),
        ("--pull never img", "pull", "never"),
        ("--progress img", "progress", "plain"),
        ("--progress=tty img", "progress", "tty"),
        ("-h web img", "hostname", "web"),
    ],
)
def test_flags_take_their_values_in_every_form(line: str, attribute: str, value: object) -> None:
    args = read(line)
    assert getattr(args, attribute) == value
    assert type(getattr(args, attribute)) is type(value)


@pytest.mark.parametrize(
    ("line", "operands"),
    [
        ("img", ["img"]),
        ("--rm img cmd --rm -it -- x", ["img", "cmd", "--rm", "-it", "--", "x"]),
        ("--rm -- --img --rm", ["--img", "--rm"]),
        ("-", ["-"]),
        ("- -x", ["-", "-x"]),
        ("img --help", ["img", "--help"]),
        ("", []),
    ],
)
def test_flags_end_at_the_first_operand_where_a_command_follows(line: str, operands: list[str]) -> None:
    assert read(line).args == operands


def test_flags_may_follow_operands_elsewhere() -> None:
    args = parse(RM, ["a", "-f", "b", "--", "-c", "--force"])
    assert args.args == ["a", "b", "-c", "--force"]
    assert args.force is True


def test_an_empty_word_is_an_operand() -> None:
    assert parse(RM, ["", "a"]).args == ["", "a"]


def test_what_was_given_is_told_from_what_is_by_default() -> None:
    args = read("--net x -it --rm=false img")
    assert args.given == {"network", "interactive", "tty", "rm"}


def test_lists_are_not_shared_between_two_readings() -> None:
    read("-p 1 img")
    assert read("img").publish == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--foo img", "unknown flag: --foo"),
        ("--foo=1 img", "unknown flag: --foo"),
        ("--rmx img", "unknown flag: --rmx; did you mean --rm?"),
        ("-Z img", "unknown shorthand flag: 'Z' in -Z"),
        ("-itZx img", "unknown shorthand flag: 'Z' in -itZx"),
        ("---x img", "bad flag syntax: ---x"),
        ("--=x img", "bad flag syntax: --=x"),
        ("--env", "flag needs an argument: --env"),
        ("-e", "flag needs an argument: 'e' in -e"),
        ("-ite", "flag needs an argument: 'e' in -ite"),
        ("--rm=maybe img", 'invalid argument "maybe" for "--rm" flag: neither true nor false'),
        ("-n x", 'invalid argument "x" for "-n, --last" flag: not a whole number'),
        ("-n 1.5", 'invalid argument "1.5" for "-n, --last" flag: not a whole number'),
        ("-n ٣", 'invalid argument "٣" for "-n, --last" flag: not a whole number'),
        ("-m lots img", 'invalid argument "lots" for "-m, --memory" flag: not an amount such as 512m or 2g'),
        ("--cpus nan img", 'invalid argument "nan" for "--cpus" flag: not a number'),
        ("--time soon img", 'invalid argument "soon" for "--time" flag: not a duration such as 10s or 1m30s'),
        ("--pull x img", 'invalid argument "x" for "--pull" flag: must be one of always, missing, never'),
    ],
)
def test_flags_that_cannot_be_read_are_refused_in_docker_s_words_with_code_125(line: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(line)
    assert str(caught.value) == message
    assert caught.value.exit_code == 125


@pytest.mark.parametrize(
    ("command", "words", "message"),
    [
        (RUN, [], "'tack x' requires at least 1 argument"),
        (PS, ["a"], "'tack x' accepts no arguments"),
        (Command("A B", "", least=2, most=2), ["a"], "'tack x' requires 2 arguments"),
        (Command("A B", "", least=2, most=2), ["a", "b", "c"], "'tack x' requires 2 arguments"),
        (Command("A", "", least=1, most=1), [], "'tack x' requires 1 argument"),
        (Command("[A]", "", most=1), ["a", "b"], "'tack x' requires at most 1 argument"),
        (Command("A [B]", "", least=1, most=2), [], "'tack x' requires at least 1 argument"),
        (Command("A B C...", "", least=2), ["a"], "'tack x' requires at least 2 arguments"),
    ],
)
def test_a_wrong_number_of_operands_is_refused_with_code_1(command: Command, words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(command, words, "tack x")
    assert (str(caught.value), caught.value.exit_code) == (message, 1)


@pytest.mark.parametrize("words", [["--help"], ["a", "--help"], ["-h"], ["-fh"]])
def test_help_is_asked_for_with_either_flag(words: list[str]) -> None:
    with pytest.raises(HelpWanted):
        parse(RM, words)


@given(st.lists(st.text(alphabet="-=abfitpe80: ", max_size=6), max_size=6))
def test_any_words_are_read_or_refused(words: list[str]) -> None:
    for command in (RUN, RM):
        try:
            args = parse(command, words)
        except (UsageError, HelpWanted):
            continue
        assert all(word in words for word in args.args)
