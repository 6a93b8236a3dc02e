"""A small file system of its own, to run full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.world import take_down


@contextmanager
def small_disk(directory: Path, size: str = "8m") -> Iterator[Path]:
    """A tmpfs of this size mounted at a directory. Costs 5 ms; needs root."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    directory.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(directory)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"cannot mount a tmpfs: {done.stderr.strip()}")
    try:
        yield directory
    finally:
        take_down(directory)


def fill(directory: Path, leave: int = 0) -> Path:
    """Fill the file system below a directory with one file, up to some bytes."""
    filler = directory / "filler"
    with open(filler, "ab", buffering=0) as file:
        for chunk in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(b"x" * chunk)
            except OSError:
                continue
        if leave:
            file.truncate(max(0, file.tell() - leave))
    return filler
