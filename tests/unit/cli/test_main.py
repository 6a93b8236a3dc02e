"""Every command line ends in an exit code, and every failure in one line on standard error."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from hardtack.cli import main as module
from hardtack.cli.parse import BOOL, Args, Command, Flag
from hardtack.cli.streams import Streams
from hardtack.cli.table import COMMANDS, GROUPS
from hardtack.errors import TackError

Run = Callable[[Args, Streams], int]


@pytest.fixture
def command() -> Iterator[Callable[..., None]]:
    """Install a command named `zz` for one test."""
    name = "hardtack.cli.commands.zz"

    def install(run: Run, failure: int = 1) -> None:
        fake = ModuleType(name)
        fake.COMMAND = Command("[OPTIONS] [ARG...]", "For a test", (Flag("flag", "f", BOOL),), failure=failure)  # type: ignore[attr-defined]
        fake.run = run  # type: ignore[attr-defined]
        sys.modules[name] = fake
        COMMANDS["zz"] = ("zz", "For a test")

    yield install
    COMMANDS.pop("zz", None)
    sys.modules.pop(name, None)


def raising(error: BaseException) -> Run:
    def run(args: Args, streams: Streams) -> int:
        raise error

    return run


def test_a_command_gets_its_flags_its_operands_and_the_root(command: Callable[..., None]) -> None:
    seen: list[Args] = []

    def run(args: Args, streams: Streams) -> int:
        seen.append(args)
        return 7

    command(run)
    assert module.main(["--root", "/somewhere", "zz", "-f", "a", "b"]) == 7
    assert (seen[0].flag, seen[0].args, seen[0].root, seen[0].path) == (True, ["a", "b"], "/somewhere", "tack zz")
    assert module.main(["zz"]) == 7
    assert seen[1].root is None


@pytest.mark.parametrize(
    ("error", "failure", "code", "line"),
    [
        (TackError("cannot do it: no", "Do this"), 1, 1, "cannot do it: no. Do this."),
        (TackError("cannot do it: no"), 125, 125, "cannot do it: no"),
        (RecursionError("maximum recursion"), 125, 125, "internal error: RecursionError: maximum recursion. Run"),
        (MemoryError(), 1, 1, "internal error: MemoryError. Run again with --debug"),
        (ValueError("two\nlines"), 1, 1, "internal error: ValueError: two lines. Run again with --debug"),
        (PermissionError(13, "Permission denied", "/x"), 1, 1, "/x: permission denied"),
        (OSError(28, "No space left on device"), 1, 1, "the system refused: no space left on device"),
        (ModuleNotFoundError("no", name="aiohttp"), 1, 1, "this command needs the Python package aiohttp"),
        (BrokenPipeError(32, "Broken pipe"), 1, 1, "the system refused: broken pipe"),
    ],
)
def test_a_failure_is_one_line_and_a_code(
    error: Exception,
    failure: int,
    code: int,
    line: str,
    command: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    command(raising(error), failure)
    assert module.main(["zz"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"tack: {line}")
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_an_error_s_own_exit_code_wins(command: Callable[..., None]) -> None:
    class NotRunnable(TackError):
        exit_code = 126

    command(raising(NotRunnable("cannot run it")), 125)
    assert module.main(["zz"]) == 126


def test_debug_shows_where_it_came_from(command: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    command(raising(ValueError("x")))
    assert module.main(["--debug", "zz"]) == 1
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert "tack: internal error: ValueError: x." in err


def test_an_interruption_is_130_and_says_nothing(
    command: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    command(raising(KeyboardInterrupt()))
    assert module.main(["zz"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_flag_that_cannot_be_read_shows_the_usage_and_is_125(
    command: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    command(raising(AssertionError("must not run")))
    assert module.main(["zz", "--nope"]) == 125
    assert capsys.readouterr().err == (
        "tack: unknown flag: --nope\n\n"
        "Usage:  tack zz [OPTIONS] [ARG...]\n\n"
        "Run 'tack zz --help' for more information\n"
    )


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["ver"], 1, "unknown command: tack ver. Did you mean 'tack version'? Run 'tack --help' for all."),
        (["qqqqqqqq"], 1, "unknown command: tack qqqqqqqq. Run 'tack --help' for all."),
        (["image", "lss"], 1, "unknown command: tack image lss. Did you mean 'tack image ls'"),
        (["bogus"], 1, "unknown command: tack bogus. Run 'tack --help' for all."),
        (["stats"], 1, "cannot run tack stats: docker has this command, tack does not have it yet. What runs inside"),
        (["container", "commit", "x"], 1, "cannot run tack container commit: docker has this command"),
        (["network", "create", "x"], 1, "cannot run tack network create: docker has this command"),
        (["image", "--nope"], 125, "unknown flag: --nope\n\nUsage:  tack image COMMAND"),
        (["--nope"], 125, "unknown flag: --nope\n\nUsage:  tack [OPTIONS] COMMAND"),
        (["--root"], 125, "flag needs an argument: --root"),
        (["-H", "tcp://x", "ps"], 1, "cannot use --host: "),
        (["--context", "x", "ps"], 1, "cannot use --context: "),
        (["help", "nothing"], 1, "unknown help topic: nothing"),
        (["help", "version", "x", "y"], 1, "unknown help topic: version x y"),
        (["help", "image", "nope"], 1, "unknown help topic: image nope"),
        (["completion", "tcsh"], 1, "no completion for tcsh"),
        ([""], 1, "unknown command: tack"),
        (["\udcff\x1b[2J"], 1, "unknown command: tack \\udcff\\x1b[2J. "),
    ],
)
def test_what_is_no_command_is_refused_with_a_way_out(
    words: list[str], code: int, line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert module.main(words) == code
    assert f"tack: {line}" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ([], "Common Commands:"),
        (["--help"], "Common Commands:"),
        (["help"], "Common Commands:"),
        (["version", "--help"], "Usage:  tack version [OPTIONS]"),
        (["help", "version"], "Usage:  tack version [OPTIONS]"),
        (["image"], "Usage:  tack image COMMAND"),
        (["image", "--help"], "Usage:  tack image COMMAND"),
        (["help", "image"], "Usage:  tack image COMMAND"),
        (["--version"], "tack version "),
        (["-v"], "tack version "),
        (["version"], "Version:"),
        (["version", "--format", "{{.Client.Version}}/{{.Server.Os}}"], "/linux"),
        (["version", "--format", "json"], '"Server":{'),
        (["completion", "bash"], "complete -F _tack tack"),
    ],
)
def test_help_and_versions_are_printed_and_are_no_failure(
    words: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert module.main(words) == 0
    out, err = capsys.readouterr()
    assert part in out
    assert err == ""


def test_docker_s_other_names_work_inside_groups(command: Callable[..., None]) -> None:
    command(lambda args, streams: 3)
    GROUPS["zzgroup"] = ("For a test", {"ls": COMMANDS["zz"], "rm": COMMANDS["zz"]})
    try:
        assert module.main(["zzgroup", "list"]) == 3
        assert module.main(["zzgroup", "remove"]) == 3
        assert module.main(["zzgroup", "ps"]) == 3
    finally:
        del GROUPS["zzgroup"]


def test_a_group_may_hold_groups_and_a_module_several_verbs(
    command: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    command(lambda args, streams: 3)
    fake = sys.modules["hardtack.cli.commands.zz"]
    fake.VERBS = {"make": (fake.COMMAND, lambda args, streams: 4)}  # type: ignore[attr-defined]
    GROUPS["zzgroup"] = ("For a test", {"ls": COMMANDS["zz"]})
    GROUPS["zzgroup zzinner"] = ("Within it", {"make": ("zz:make", "Make one")})
    try:
        assert module.main(["zzgroup", "ls"]) == 3
        assert module.main(["zzgroup", "zzinner", "make"]) == 4
        assert module.main(["zzgroup", "--help"]) == 0
        assert "zzinner   Within it" in capsys.readouterr().out
        for words in (["zzgroup", "zzinner", "--help"], ["help", "zzgroup", "zzinner"], ["zzgroup", "zzinner"]):
            assert module.main(words) == 0
            assert "Usage:  tack zzgroup zzinner COMMAND" in capsys.readouterr().out
        assert module.main(["zzgroup", "zzinner", "make", "--help"]) == 0
        assert "Usage:  tack zzgroup zzinner make" in capsys.readouterr().out
        assert module.main(["zzgroup", "zziner"]) == 1
        assert "Did you mean 'tack zzgroup zzinner'?" in capsys.readouterr().err
        assert module.main(["zzgroup", "zzinner", "mak"]) == 1
        assert "unknown command: tack zzgroup zzinner mak. Did you mean 'tack zzgroup zzinner make'?" in (
            capsys.readouterr().err
        )
        module.main(["__complete", "zzgroup", ""])
        module.main(["__complete", "zzgroup", "zzinner", "m"])
        assert capsys.readouterr().out.splitlines() == ["ls\tFor a test", "zzinner\tWithin it", "make\tMake one"]
    finally:
        del GROUPS["zzgroup"], GROUPS["zzgroup zzinner"]


def tack(*words: str, **more: object) -> subprocess.CompletedProcess[bytes]:
    """A real process; costs an interpreter's start."""
    program = "from hardtack.cli.main import script; script()"
    return subprocess.run([sys.executable, "-c", program, *words], check=False, **more)  # type: ignore[call-overload, no-any-return]


def test_a_reader_that_goes_away_ends_us_quietly() -> None:
    read, write = os.pipe()
    os.close(read)
    done = tack("--help", stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_full_disk_under_the_output_is_a_failure() -> None:
    with open("/dev/full", "wb") as full:
        done = tack("version", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == b"tack: the system refused: no space left on device\n"


def test_closed_streams_are_no_reason_to_fail() -> None:
    line = f"{sys.executable} -c 'from hardtack.cli.main import script; script()' version <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", line], check=False).returncode == 0


def test_output_is_utf_8_in_every_locale_and_names_keep_their_bytes() -> None:
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    program = (
        "from hardtack.cli.streams import Streams\n"
        "import os\n"
        "Streams().out.write('\\u2026' + os.fsdecode(b'\\xff') + '\\ud800\\n')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=False)
    assert (done.stdout, done.stderr) == ("…".encode() + b"\xff" + "\ufffd\n".encode(), b"")


def test_closed_standard_streams_are_not_given_to_the_next_file_that_opens() -> None:
    script = (
        "import os, sys; from hardtack.cli.main import main; report = os.dup(1); os.closerange(0, 3);"
        "main(['version', '--short']);"
        "os.write(report, b' '.join(os.readlink(f'/proc/self/fd/{n}').encode() for n in range(3)))"
    )
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"/dev/null /dev/null /dev/null"
