"""What a shell is offered, and that the scripts are scripts."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from hardtack.cli.commands.completion import SCRIPTS
from hardtack.cli.completion import FILES, answer
from hardtack.cli.main import main
from hardtack.cli.parse import BOOL, LIST, STRING, Args, Command, Flag
from hardtack.cli.streams import Streams
from hardtack.cli.table import COMMANDS

FAKES = {
    "zzrun": Command(
        "IMAGE [COMMAND]",
        "",
        (
            Flag("rm", "", BOOL, help="Remove it"),
            Flag("env", "e", LIST),
            Flag("env-file", "", LIST),
            Flag("pull", "", STRING, choices=("always", "never")),
            Flag("interactive", "i", BOOL),
            Flag("hidden", "", BOOL, hidden=True),
        ),
        interspersed=False,
        operands="container",
    ),
    "zzrm": Command("CONTAINER...", "", (Flag("force", "f", BOOL),), operands="container"),
    "zzone": Command("A", "", most=1, operands="left|right"),
    "ps": Command("", "", (Flag("all", "a", BOOL), Flag("format", "", STRING))),
}


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def list_names(args: Args, streams: Streams) -> int:
        streams.out.write("web\ndb\nweb2\n")
        return 0

    for name, command in FAKES.items():
        fake = ModuleType(name)
        fake.COMMAND, fake.run = command, list_names  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, f"hardtack.cli.commands.{name}", fake)
        monkeypatch.setitem(COMMANDS, name, (name, f"The {name}"))
    yield


def offered(line: str) -> list[str]:
    return [word for word, _ in answer(line.split(" "))]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("zz", ["zzone", "zzrm", "zzrun"]),
        ("imag", ["image", "images"]),
        ("image h", ["history"]),
        ("image nope x", []),
        ("nope x", []),
        ("--de", ["--debug"]),
        ("--root", ["--root"]),
        ("--root /x zzr", ["zzrm", "zzrun"]),
        ("--root=/x zzr", ["zzrm", "zzrun"]),
        ("--root ", [FILES]),
        ("zzrun --r", ["--rm"]),
        ("zzrun --hid", []),
        ("zzrun --pull ", ["always", "never"]),
        ("zzrun --pull=n", ["--pull=never"]),
        ("zzrun --env-file ", [FILES]),
        ("zzrun -e ", [FILES]),
        ("zzrun -ie ", [FILES]),
        ("zzrun -e A=b w", ["web", "web2"]),
        ("zzrun -i w", ["web", "web2"]),
        ("zzrun web ", [FILES]),
        ("zzrun web --r", [FILES]),
        ("zzrm web d", ["db"]),
        ("zzrm web -", ["--force", "--help"]),
        ("zzone ", ["left", "right"]),
        ("zzone left ", []),
    ],
)
def test_what_may_come_next(line: str, expected: list[str]) -> None:
    assert offered(line) == expected


def test_whatever_fails_gives_no_answer_and_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "hardtack.cli.commands.ps", ModuleType("broken"))
    assert main(["__complete", "zzrm", ""]) == 0
    assert capsys.readouterr() == ("", "")


def test_answers_come_with_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["__complete", "zzru"]) == 0
    assert capsys.readouterr().out == "zzrun\tThe zzrun\n"


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_the_script_is_one_that_its_shell_can_read(shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    done = subprocess.run([shell, "-n"], input=SCRIPTS[shell], text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_bash_completes_by_asking_the_program(tmp_path: object) -> None:
    program = (
        f"tack() {{ {sys.executable} -c 'from hardtack.cli.main import script; script()' \"$@\"; }}\n"
        + SCRIPTS["bash"]
        + 'COMP_WORDS=(tack vers); COMP_CWORD=1; _tack; echo "${COMPREPLY[@]}"\n'
        + 'COMP_WORDS=(tack image hi); COMP_CWORD=2; _tack; echo "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(["bash", "--norc", "-c", program], text=True, capture_output=True, check=False)
    assert done.stdout == "version\nhistory\n", done.stderr
