"""The command itself, run as people run it, with bytes in and out; for tests of what it prints and takes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.containers import PATIENCE, TACK, World


class Tack:
    """Runs `tack` in one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.environment = world.environment | {"TZ": "UTC"}

    @property
    def path(self) -> Path:
        """The root's directory."""
        return Path(self.world.root.path)

    def run(
        self, *words: str, stdin: bytes = b"", code: int | None = 0, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run one command line; `code` is what it has to exit with, None for anything. Costs 40 ms and what it does."""
        done = subprocess.run(
            [TACK, *words],
            input=stdin,
            capture_output=True,
            check=False,
            env=self.environment,
            timeout=PATIENCE,
            cwd=cwd,
        )
        assert code is None or done.returncode == code, f"tack {' '.join(words)}: {done.stderr.decode()}"
        return done

    def __call__(self, *words: str, stdin: bytes = b"") -> str:
        """Run one that succeeds. Returns what it printed, without the last newline."""
        return self.run(*words, stdin=stdin).stdout.decode().rstrip("\n")

    def fails(self, *words: str, code: int = 1, stdin: bytes = b"") -> str:
        """Run one that fails. Returns what it said."""
        said = self.run(*words, stdin=stdin, code=code).stderr.decode()
        assert "Traceback" not in said and "internal error" not in said, said
        return said

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Begin one that takes longer."""
        return subprocess.Popen([TACK, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment)

    def inspect(self, name: str) -> dict[str, Any]:
        """A document."""
        found: dict[str, Any] = json.loads(self("inspect", name))[0]
        return found

    def until_there(self, name: str, path: str) -> None:
        """Wait until a running container has a file."""
        self.world.wait_for(lambda: self.run("cp", f"{name}:{path}", "-", code=None).returncode == 0, path)


@pytest.fixture
def tack(world: World) -> Iterator[Tack]:
    """The command in the module's world; volumes go with the test."""
    made = Tack(world)
    yield made
    world.clear()
    names = made("volume", "ls", "-q").split()
    if names:
        made("volume", "rm", *names)
