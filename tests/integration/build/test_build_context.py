"""Where a context comes from, what is left out of it, and the command line around a build."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from support.kitchen import Kitchen
from support.tars import entry, tar_of

TACK = str(Path(sys.executable).parent / "tack")


class Done:
    """How a command ended, as text."""

    def __init__(self, done: subprocess.CompletedProcess[bytes]) -> None:
        self.returncode = done.returncode
        self.stdout = done.stdout.decode()
        self.stderr = done.stderr.decode()


def tack(kitchen: Kitchen, *words: str, stdin: bytes = b"", **more: str) -> Done:
    world = {"HARDTACK_ROOT": kitchen.root.path, "HARDTACK_RUN": kitchen.root.run}
    environment = {**os.environ, **world, **more}
    command = [TACK, *words]
    place = kitchen.context
    return Done(subprocess.run(command, input=stdin, capture_output=True, cwd=place, env=environment, check=False))


def names(kitchen: Kitchen, image: str = "test/dish:1") -> set[str]:
    from hardtack.image.find import find
    from support.kitchen import Dish, Recorder

    return {path for path in Dish(kitchen.root, find(kitchen.root, image), Recorder()).tree() if path.startswith("x/")}


def test_an_ignore_file_decides_what_there_is(shared: Kitchen) -> None:
    for name in ("keep", "drop.log", "sub/drop.log", "sub/keep.log", "out/a", "out/back/b", ".git/x", "a/b/c.tmp"):
        shared.write(name, name)
    shared.write(".dockerignore", "# comment\n*.log\n**/*.log\n!sub/keep.log\nout\n!out/back\n.git\n/a/*/c.tmp\n")
    dish = shared.build("FROM busybox\nCOPY . /x/\n")
    assert {path for path, facts in dish.tree().items() if path.startswith("x/") and facts[0] == "-"} == {
        "x/keep", "x/sub/keep.log", "x/out/back/b", "x/Dockerfile", "x/.dockerignore",
    }  # fmt: skip
    from hardtack.build.errors import BuildError

    for gone in ("drop.log", ".git", "out/a", "a/b/c.tmp"):
        shared.fails(f"FROM busybox\nCOPY {gone} /x/\n", BuildError, "no such file")


def test_the_ignore_file_of_a_dockerfile_comes_before_the_contexts(shared: Kitchen) -> None:
    shared.write("a", "a")
    shared.write("b", "b")
    shared.write("special/My.Dockerfile", "FROM busybox\nCOPY . /x/\n")
    shared.write("special/My.Dockerfile.dockerignore", "a\nspecial\n.dockerignore")
    shared.write(".dockerignore", "b\n")
    done = tack(shared, "build", "-q", "-t", "test/dish:1", "-f", "special/My.Dockerfile", ".")
    assert (done.returncode, done.stderr) == (0, "")
    assert names(shared) == {"x/b"}


def test_the_dockerfile_may_lie_elsewhere_or_come_from_standard_input(shared: Kitchen, tmp_path: Path) -> None:
    shared.write("a", "a")
    (tmp_path / "Other").write_text("FROM busybox\nCOPY a /x/other\n")
    assert tack(shared, "build", "-qt", "test/dish:1", "-f", str(tmp_path / "Other"), ".").returncode == 0
    assert names(shared) == {"x/other"}
    piped = tack(shared, "build", "-qt", "test/dish:1", "-f", "-", ".", stdin=b"FROM busybox\nCOPY a /x/piped\n")
    assert (piped.returncode, names(shared)) == (0, {"x/piped"})
    alone = tack(shared, "build", "-qt", "test/dish:1", "-", stdin=b"FROM busybox\nRUN mkdir /x && touch /x/alone\n")
    assert (alone.returncode, names(shared)) == (0, {"x/alone"})
    nothing = tack(shared, "build", "-q", "-", stdin=b"FROM busybox\nCOPY a /\n")
    assert nothing.returncode == 1
    assert "no context" in nothing.stderr


@pytest.mark.parametrize("compressed", [False, True])
def test_a_context_may_be_a_tar_on_standard_input(kitchen: Kitchen, compressed: bool) -> None:
    members = [
        (entry("Dockerfile", b"FROM busybox\nCOPY . /x/\n"), b"FROM busybox\nCOPY . /x/\n"),
        (entry("d/f", b"1", 0o600), b"1"),
        (entry("link", kind=tarfile.SYMTYPE, link="/etc/passwd"), b""),
        (entry("skip", b"1"), b"1"),
        (entry(".dockerignore", b"skip\n.dockerignore\nDockerfile"), b"skip\n.dockerignore\nDockerfile"),
    ]
    tar = tar_of(members)
    done = tack(kitchen, "build", "-qt", "test/dish:1", "-", stdin=gzip.compress(tar) if compressed else tar)
    assert (done.returncode, done.stderr) == (0, "")
    assert names(kitchen) == {"x/d", "x/d/f", "x/link"}
    with open(kitchen.write("context.tar", tar), "rb") as file:
        again = subprocess.run(
            [TACK, "build", "-q", "-f", "Dockerfile", "-"], stdin=file, capture_output=True, check=True
        )
    assert again.stdout.decode() == done.stdout
    assert kitchen.leftovers() == []


def test_a_hostile_tar_is_no_context(shared: Kitchen) -> None:
    for bad in (
        (entry("../up", b"x"), b"x"),
        (entry("dev", kind=tarfile.CHRTYPE), b""),
        (entry("hard", kind=tarfile.LNKTYPE, link="/etc/passwd"), b""),
    ):
        tar = tar_of([(entry("Dockerfile", b"FROM busybox\n"), b"FROM busybox\n"), bad])
        done = tack(shared, "build", "-q", "-", stdin=tar)
        assert done.returncode == 1
        assert "cannot unpack 'the context'" in done.stderr
    cut = gzip.compress(tar_of([(entry("Dockerfile", b"x" * 50_000), os.urandom(50_000))]))[:20_000]
    assert "damaged" in tack(shared, "build", "-q", "-", stdin=cut).stderr
    assert shared.leftovers() == []


FAULTS = [
    (["build"], "requires 1 argument", 1),
    (["build", "nowhere"], "path 'nowhere' not found", 1),
    (["build", "f"], "is no folder", 1),
    (["build", "empty"], "no Dockerfile in 'empty'", 1),
    (["build", "-f", "missing", "."], "there is no missing", 1),
    (["build", "-f", "-", "-"], "both", 1),
    (["build", "https://example.org/x.git"], "contexts are not fetched", 1),
    (["build", "git@example.org:x"], "contexts are not fetched", 1),
    (["build", "--squash", "."], "cannot build with --squash", 1),
    (["build", "--ssh", "default", "."], "cannot build with --ssh", 1),
    (["build", "--output", "type=local,dest=x", "."], "cannot build with --output", 1),
    (["build", "--cache-to", "x", "."], "cannot build with --cache-to", 1),
    (["build", "--network", "other", "."], "network 'other'", 1),
    (["build", "--platform", "linux/amd64,linux/arm64", "."], "several platforms", 1),
    (["build", "--progress", "fancy", "."], "progress", 1),
    (["build", "-t", "UPPER", "."], "UPPER", 1),
    (["build", "--secret", "src=x", "."], "needs an id", 1),
    (["build", "--target", "none", "."], "no such stage", 1),
    (["build", "--nonsense", "."], "unknown flag", 125),
]


@pytest.mark.parametrize(("words", "reason", "code"), FAULTS, ids=[" ".join(words) for words, _, _ in FAULTS])
def test_what_a_command_line_cannot_ask_for(shared: Kitchen, words: list[str], reason: str, code: int) -> None:
    shared.write("Dockerfile", "FROM busybox\n")
    shared.write("f", "f")
    (shared.context / "empty").mkdir()
    done = tack(shared, *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_plain_progress_is_dockers_and_standard_output_stays_empty(kitchen: Kitchen) -> None:
    kitchen.write("Dockerfile", "FROM busybox AS one\nRUN echo hello; printf 'no end'\nFROM one\nARG A\nWORKDIR /w\n")
    done = tack(kitchen, "build", "-t", "x:1", "-t", "y:2", "--build-arg", "NOPE=1", "--progress=plain", ".")
    assert (done.returncode, done.stdout) == (0, "")
    lines = done.stderr.splitlines()
    assert lines[0] == "#1 [internal] load build definition from Dockerfile"
    assert any(line.endswith("[one 1/2] FROM busybox") for line in lines)
    assert any("[one 2/2] RUN echo hello" in line for line in lines)
    assert any(line.split(" ", 2)[2:] == ["hello"] for line in lines)
    assert any(line.split(" ", 2)[2:] == ["no end"] for line in lines)
    assert "[Warning] One or more build-args ['NOPE'] were not consumed" in lines
    assert any("naming to docker.io/library/y:2 done" in line for line in lines)
    again = tack(kitchen, "build", "--progress=plain", ".")
    assert sum(line.endswith(" CACHED") for line in again.stderr.splitlines()) == 3


SLOW_MODULES = {
    "re", "enum", "json", "threading", "hashlib", "ctypes", "subprocess", "tempfile", "shutil", "socket", "dataclasses",
    "collections", "contextlib", "typing", "logging", "tarfile", "functools", "pathlib",
}  # fmt: skip


def test_a_build_in_which_everything_is_known_loads_next_to_nothing(shared: Kitchen) -> None:
    shared.write("a", "a")
    shared.write(".dockerignore", "*.log\n**/tmp\n")
    time.sleep(0.15)  # what was written just now is hashed again, lest the clock miss a change
    shared.write("Dockerfile", "FROM busybox AS b\nRUN echo $$ > /x\nFROM busybox\nCOPY a /\nCOPY --from=b /x /\n")
    assert tack(shared, "build", "-t", "known:1", ".").returncode == 0
    script = (
        "import sys; before = set(sys.modules); from hardtack.cli.main import main;"
        "code = main(['build', '-t', 'known:1', '.']); print(*(set(sys.modules) - before)); sys.exit(code)"
    )
    world = {"HARDTACK_ROOT": shared.root.path, "HARDTACK_RUN": shared.root.run}
    command = [sys.executable, "-c", script]
    world.update(os.environ | world)
    done = subprocess.run(command, capture_output=True, text=True, cwd=shared.context, env=world, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("CACHED") == 5
    assert SLOW_MODULES & set(done.stdout.split()) == set()


def test_a_failure_is_shown_in_full(shared: Kitchen) -> None:
    shared.write("Dockerfile", "FROM busybox\nRUN echo some words; exit 4\n")
    done = tack(shared, "build", ".")
    assert done.returncode == 1
    tail = done.stderr[done.stderr.index("------") :]
    assert "> RUN echo some words; exit 4:\nsome words\n" in tail
    assert "Dockerfile:2\n" in tail
    assert "   2 | >>> RUN echo some words; exit 4" in tail
    assert tail.splitlines()[-1].startswith("tack: cannot build: Dockerfile:2: the command ")
    wrong = tack(shared, "build", "-f", "-", ".", stdin=b"FROM busybox\nRUNN x\n")
    assert wrong.stderr.endswith("tack: Dockerfile:2: unknown instruction: RUNN (did you mean RUN?)\n     2 | RUNN x\n")


def test_the_id_can_be_printed_and_written(shared: Kitchen, tmp_path: Path) -> None:
    shared.write("Dockerfile", "FROM busybox\nARG A\nLABEL a=$A\n")
    file = tmp_path / "iid"
    done = tack(shared, "build", "-q", "--iidfile", str(file), "--build-arg", "A", "--label", "l=m", ".", A="from env")
    assert done.stdout == f"{file.read_text()}\n"
    assert done.stderr == ""
    shown = json.loads(tack(shared, "inspect", file.read_text()).stdout)[0]
    assert shown["Config"]["Labels"] == {"a": "from env", "l": "m"}


def test_a_moving_picture_on_a_terminal(kitchen: Kitchen) -> None:
    import pty

    kitchen.write("Dockerfile", "FROM busybox\nRUN for i in 1 2 3; do echo line $i; sleep 0.1; done\n")
    ours, theirs = pty.openpty()
    process = subprocess.Popen([TACK, "build", str(kitchen.context)], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = io.BytesIO()
    try:
        while piece := os.read(ours, 4096):
            seen.write(piece)
    except OSError:
        pass
    os.close(ours)
    assert process.wait() == 0
    text = seen.getvalue().decode()
    assert "line 3" in text
    assert "=> CACHED [1/2] FROM busybox" in text
    assert "[2/2] RUN for i in 1 2 3" in text


@pytest.mark.parametrize(
    "junk", [b"\xff\xfe", b"\0", b"FROM", b"RUN x", b"FROM a\nCOPY", b"FROM " + b"x" * 100_000, b"{}" * 1000]
)
def test_no_dockerfile_makes_a_traceback(shared: Kitchen, junk: bytes) -> None:
    done = tack(shared, "build", "-f", "-", ".", stdin=junk)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
