"""Many processes change the same content at once, one of them dies, and everything that is always true still is."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from support import metadata_truth
from support.databases import postgres_url
from support.storm import open_database

TESTS = Path(__file__).parents[2]


async def in_a_file(folder: Path) -> str:
    return str(folder / "registry.db")


@pytest.mark.parametrize("place", [in_a_file, postgres_url], ids=["sqlite", "postgres"])
async def test_a_storm_of_changes_leaves_everything_true(
    place: Callable[[Path], Coroutine[Any, Any, str]], tmp_path: Path
) -> None:
    where, stored = await place(tmp_path), tmp_path / "bytes"
    stored.mkdir()
    database = await open_database(where)
    storm = [sys.executable, "-m", "support.storm", where, str(stored)]
    processes = [
        subprocess.Popen([*storm, str(seed), "150" if seed else "100000"], cwd=TESTS, stderr=subprocess.PIPE, text=True)
        for seed in range(4)
    ]
    try:
        while any(process.poll() is None for process in processes[1:]):
            assert await database.browse(metadata_truth.contradictions) == []
            await asyncio.sleep(0.05)
        outcomes = [process.communicate() for process in processes[1:]]
    finally:
        processes[0].kill()  # in the middle of something
        processes[0].communicate()
    assert [process.returncode for process in processes[1:]] == [0, 0, 0], outcomes
    try:
        await asyncio.sleep(0.3)  # the server ends what the dead one had begun
        assert await database.browse(metadata_truth.contradictions) == []
        files = {path.name for path in stored.iterdir()}
        assert await database.browse(metadata_truth.blobs_linked) <= files
        assert files <= await database.browse(metadata_truth.blobs_known)
    finally:
        await database.close()
