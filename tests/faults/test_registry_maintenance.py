"""Death in the middle of a backup, a restore, a move and a repair: the same command, run again, ends what was begun.

Each story is killed at every so-manieth call that changes the disk; after each death what was whole before still is.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import signal
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from hardtack.oci.digest import Digest
from hardtack.registry.config.document import Config
from hardtack.registry.config.maintenance import MaintenanceSection
from hardtack.registry.maintenance.backup import back_up
from hardtack.registry.maintenance.findings import Check
from hardtack.registry.maintenance.fsck import fsck
from hardtack.registry.maintenance.migrate import migrate
from hardtack.registry.maintenance.restore import restore
from hardtack.registry.server.stores import open_stores, prepare_stores
from support.faults import Fuse, in_child
from support.registry_copies import at, fill, state, tack
from support.registry_worker import registry_worker

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry that nobody serves. Costs 300 ms a module."""
    root = tmp_path_factory.mktemp("source") / "root"
    with registry_worker(root, base=replace(Config(), maintenance=MaintenanceSection(0)), pause=3600) as worker:
        fill(worker.client)
    return root


def deaths(story: Callable[[], Awaitable[object]]) -> Iterator[int]:
    """Run a story again and again, each time killed a bit later, until it comes to its end; tells each death."""

    def dying(step: int) -> Callable[[], None]:
        def run() -> None:
            Fuse(step).wire()

            async def main() -> None:
                await story()

            asyncio.run(main())

        return run

    stride = random.randint(5, 9)
    for step in count(random.randint(1, stride), stride):
        code = in_child(dying(step))
        if code == 0:
            return
        assert code == -signal.SIGKILL, code
        yield step


def whole(root: Path) -> object:
    return asyncio.run(state(at(root)))


async def _back_up(root: Path, folder: Path) -> None:
    async with open_stores(at(root)) as stores:
        await back_up(*stores, str(folder))


async def _restore(folder: Path, root: Path) -> None:
    prepare_stores(at(root))
    async with open_stores(at(root)) as stores:
        await restore(str(folder), *stores, str(root))


async def _migrate(root: Path, target: Path) -> None:
    prepare_stores(at(target))
    async with open_stores(at(root)) as old, open_stores(at(target)) as new:
        await migrate(old, new, str(root), str(target))


def test_a_backup_that_dies_leaves_the_one_before_and_the_next_is_whole(source: Path, tmp_path: Path) -> None:
    root, folder = tmp_path / "root", tmp_path / "backup"
    shutil.copytree(source, root)
    asyncio.run(_back_up(root, folder))
    first = (folder / "backup.json").read_bytes()
    old = whole(root)
    with registry_worker(root, base=replace(Config(), maintenance=MaintenanceSection(0)), pause=3600) as worker:
        fill(worker.client, images=3)
    new = whole(root)
    died = 0
    for number, step in enumerate(deaths(lambda: _back_up(root, folder))):
        died += 1
        if number % 4 == 0:
            target = tmp_path / f"restored-{step}"
            asyncio.run(_restore(folder, target))
            told = (folder / "backup.json").read_bytes()
            assert whole(target) == (old if told == first else new)
    assert died >= 5
    asyncio.run(_restore(folder, tmp_path / "last"))
    assert whole(tmp_path / "last") == new == whole(root)
    assert len(list(folder.glob("metadata-*"))) == 1
    assert not list((folder / "uploads").iterdir())


@pytest.mark.parametrize("story", ["restore", "migrate"])
def test_a_copy_that_dies_is_served_by_nobody_and_goes_on(source: Path, tmp_path: Path, story: str) -> None:
    folder, target = tmp_path / "backup", tmp_path / "target"
    asyncio.run(_back_up(source, folder))

    def copy() -> Awaitable[object]:
        return _restore(folder, target) if story == "restore" else _migrate(source, target)

    died = 0
    for _ in deaths(copy):
        died += 1
        assert half(target) != (True, False), "rows are there, and nothing says that they are not all"
    assert died >= 5
    assert half(target) == (True, False)  # all of it, that is
    assert whole(target) == whole(source)


def half(root: Path) -> tuple[bool, bool]:
    """Whether rows are in the database, and whether servers refuse it."""
    if not (root / "registry.db").exists():
        return False, False
    with closing(sqlite3.connect(root / "registry.db")) as connection:
        try:
            rows = connection.execute("SELECT 1 FROM repository UNION ALL SELECT 1 FROM account").fetchall()
            return bool(rows), bool(connection.execute("SELECT 1 FROM fact WHERE name = 'import'").fetchall())
        except sqlite3.OperationalError:
            return False, False  # the tables were not made yet


def test_a_repair_that_dies_is_ended_by_the_next(source: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    shutil.copytree(source, root)
    hurt = sorted(path for path in (root / "blobs").rglob("*") if path.is_file())
    for path in hurt[:4]:
        path.write_bytes(b"rotten")
    hurt[5].unlink()

    async def repair() -> None:
        async with open_stores(at(root)) as stores:
            async for _ in fsck(Check(*stores, repair=True, deep=True)):
                pass

    assert sum(1 for _ in deaths(repair)) >= 2
    done = tack("fsck", "--root", root, "--deep", "--format", "json")
    found = [entry for entry in json.loads(done.stdout) if not entry["Harmless"]]
    assert {entry["Kind"] for entry in found} == {"blob-lost"}, found
    assert {entry["Subject"].partition(":")[2] for entry in found} == {path.name for path in (*hurt[:4], hurt[5])}
    aside = list((root / "quarantine").iterdir())
    assert {path.name.partition("-")[0] for path in aside} == {f"sha256:{path.name}" for path in hurt[:4]}
    assert all(Digest.of(path.read_bytes()) == Digest.of(b"rotten") for path in aside)
