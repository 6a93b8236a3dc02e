"""Errors of the disk at a chosen call: a preloaded library between a server and the C library; needs a C compiler."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

WRITE, SYNC, RENAME = 1, 2, 4
KINDS = {"write": WRITE, "fsync": SYNC, "rename": RENAME}
ERRORS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC}
_SOURCE = Path(__file__).with_name("failing_disk.c")


class _Plan(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ("kinds", "after", "times", "error", "seen")]


class FailingDisk:
    """A plan shared with the servers that run with `environment`.

    Attributes:
        environment: what to add to a server's environment.
    """

    def __init__(self, library: Path, plan: Path, below: Path) -> None:
        plan.write_bytes(bytes(mmap.PAGESIZE))
        with open(plan, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self._plan = _Plan.from_buffer(self._memory)
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAILING_DISK": str(plan),
            "FAILING_DISK_BELOW": str(below),
        }
        self._diary = plan.with_name("diary")

    def keep_diary(self) -> None:
        """Have servers that start from now on write down what they have made durable."""
        self.environment["FAILING_DISK_DIARY"] = str(self._diary)

    def diary(self) -> list[str]:
        """Every fsync and rename so far, `sync PATH` or `rename NEW-PATH`, below the folder."""
        return self._diary.read_text().splitlines() if self._diary.exists() else []

    @contextmanager
    def failing(self, kind: str, error: str, after: int = 0, times: int = 1) -> Iterator[None]:
        """Let `after` calls of a kind succeed and the next `times` fail; well again afterwards."""
        plan = self._plan
        plan.after, plan.times, plan.error, plan.seen = after, times, ERRORS[error], 0
        plan.kinds = KINDS[kind]
        try:
            yield
        finally:
            plan.kinds = 0

    @property
    def failed(self) -> int:
        """How many calls have failed by the latest plan."""
        return int(self._plan.seen)


def failing_disk(folder: Path, below: Path) -> FailingDisk:
    """Build the library. Skips where there is no compiler. Costs 100 ms.

    Args:
        folder: for the library and the plan.
        below: whose files fail.
    """
    compiler = shutil.which("cc")
    if compiler is None or not os.path.exists("/proc/self/fd"):
        pytest.skip("no C compiler (cc) to build a failing disk with")
    library = folder / "failing_disk.so"
    words = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE), "-ldl"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cc cannot build a failing disk: {done.stderr.strip().splitlines()[-1:]}")
    return FailingDisk(library, folder / "plan", below)
