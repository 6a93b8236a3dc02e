"""What the hot commands import: the start path is sacred, so every module on it is listed here.

Each command runs in a process of its own, once for its help (which loads its module with all that it imports at its
top) and once on an empty store. What it has loaded is compared with what a bare interpreter has and what is allowed.
What a command imports on its way to a running container is watched by the integration tests of the containers.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Beside the interpreter's own start, which the baseline process shows, and our own modules.
ALLOWED = frozenset(
    {
        "__future__",
        "_array",
        "_codecs",
        "_ctypes",
        "_functools",
        "_json",
        "_signal",
        "_socket",
        "_sqlite3",
        "_stat",
        "_struct",
        "_thread",
        "array",
        "atexit",
        "ctypes",
        "ctypes._endian",
        "errno",
        "fcntl",
        "math",
        "posix",
        "select",
        "signal",
        "sqlite3",
        "sqlite3.dbapi2",
        "stat",
        "struct",
        "time",
    }
)
# A hot command, and words with which it works on an empty store: it opens the state, finds nothing, says so.
HOT: dict[str, list[str]] = {
    "version": [],
    "run": ["--pull", "never", "nothing"],
    "create": ["--pull", "never", "nothing"],
    "start": ["nothing"],
    "exec": ["nothing", "true"],
    "ps": ["--all"],
    "stop": ["nothing"],
    "rm": ["nothing"],
    "logs": ["nothing"],
    "kill": ["nothing"],
    "wait": ["nothing"],
    "inspect": ["nothing"],
}
TOOLS = {"hardtack.cli.help", "hardtack.cli.failure"}


def modules_after(record: Path, *words: str, codes: tuple[int, ...] = (0,), **environment: str) -> set[str]:
    program = (
        "import os, sys\n"
        "from hardtack.cli.main import main\n"
        f"code = main({list(words)!r})\n"
        f"open({str(record)!r}, 'w').write('\\n'.join(sys.modules))\n"
        "os._exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
        timeout=30,
    )
    assert done.returncode in codes, done.stderr
    return set(record.read_text().split("\n"))


@pytest.fixture(scope="module")
def baseline() -> set[str]:
    """What the interpreter has before any of our code ran."""
    program = "import sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def strangers(found: set[str], baseline: set[str]) -> set[str]:
    return {name for name in found - baseline - ALLOWED if not name.startswith("hardtack")}


@pytest.mark.parametrize("command", HOT)
def test_a_hot_command_imports_nothing_that_is_not_listed(command: str, baseline: set[str], tmp_path: Path) -> None:
    if importlib.util.find_spec(f"hardtack.cli.commands.{command}") is None:
        pytest.skip(f"tack {command} is not there yet")
    assert strangers(modules_after(tmp_path / "modules", command, "--help"), baseline) == set()


@pytest.mark.parametrize("command", HOT)
def test_a_hot_command_at_work_imports_nothing_that_is_not_listed(
    command: str, baseline: set[str], tmp_path: Path
) -> None:
    if importlib.util.find_spec(f"hardtack.cli.commands.{command}") is None:
        pytest.skip(f"tack {command} is not there yet")
    found = modules_after(
        tmp_path / "modules",
        command,
        *HOT[command],
        codes=(0, 1, 125),
        HARDTACK_ROOT=str(tmp_path / "root"),
        HARDTACK_RUN=str(tmp_path / "run"),
    )
    assert strangers(found, baseline) == set()


def test_running_a_command_imports_its_module_and_no_other_command(baseline: set[str], tmp_path: Path) -> None:
    found = modules_after(tmp_path / "modules", "version")
    assert strangers(found, baseline) == set()
    commands = {name for name in found if name.startswith("hardtack.cli.commands.")}
    assert commands == {"hardtack.cli.commands.version"}
    assert not found & TOOLS


def test_the_vocabulary_is_light(baseline: set[str]) -> None:
    program = (
        "import sys\n"
        "from hardtack.oci import config, descriptor, digest, manifest, mediatypes, moment, platform, reference\n"
        "reference.Reference.parse('nginx:1')\n"
        "platform.host()\n"
        "print('\\n'.join(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert strangers(set(done.stdout.split()), baseline) == set()
