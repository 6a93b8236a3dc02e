"""`tack registry migrate`: from files and SQLite to PostgreSQL and S3, both real, and back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hardtack.registry.config.document import Config
from hardtack.registry.config.maintenance import MaintenanceSection
from hardtack.registry.config.options import Secret
from hardtack.registry.config.server import DataSection, ServerSection
from hardtack.registry.config.stores import BlobsSection, MetadataSection
from hardtack.registry.maintenance import importing, migrate, portable
from hardtack.registry.maintenance.backup import back_up
from hardtack.registry.maintenance.errors import InTheWay, SourceChanged
from hardtack.registry.maintenance.restore import restore
from hardtack.registry.server.stores import open_stores, prepare_stores
from support.databases import postgres_url
from support.registry_copies import at, fill, state, tack
from support.registry_worker import Worker, account, registry_worker
from support.weed import weed

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script


@contextmanager
def served(root: Path, **options: Any) -> Iterator[Worker]:
    base = replace(Config(), maintenance=MaintenanceSection(0))
    with registry_worker(root, base=base, pause=3600, **options) as worker:
        yield worker


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of a registry that nobody serves any more. Costs 300 ms."""
    root = tmp_path / "source"
    with served(root) as worker:
        fill(worker.client)
    with served(root, accounts=True) as worker:
        account(worker, "ann", admin=True)
    return root


@pytest.fixture
async def far(tmp_path: Path) -> Config:
    """PostgreSQL and S3. Costs 4 s once."""
    place = weed().settings()
    blobs = BlobsSection(
        f"s3://{place.bucket}/{place.prefix}", place.endpoint, "", place.access_key, Secret(place.secret_key)
    )
    return Config(data=DataSection(""), metadata=MetadataSection(Secret(await postgres_url(tmp_path))), blobs=blobs)


def file_of(config: Config, path: Path) -> Path:
    path.write_text(
        f'[metadata]\nurl = "{config.metadata.url}"\n[blobs]\ns3 = "{config.blobs.s3}"\n'
        f'endpoint = "{config.blobs.endpoint}"\naccess_key = "{config.blobs.access_key}"\n'
        f'secret_key = "{config.blobs.secret_key}"\n'
    )
    return path


async def test_there_and_back_everything_is_the_same(source: Path, far: Config, tmp_path: Path) -> None:
    there = file_of(far, tmp_path / "far.toml")
    before = await state(at(source))
    done = await asyncio.to_thread(tack, "migrate", "--from", source, "--to", there)
    assert done.returncode == 0 and done.stdout.startswith("Copied 2 repositories, "), done
    assert await state(far) == before
    done = await asyncio.to_thread(tack, "migrate", "--from", there, "--to", tmp_path / "back")
    assert done.returncode == 0, done
    assert await state(at(tmp_path / "back")) == before == await state(at(source))

    def push() -> None:
        with registry_worker(tmp_path / "none", base=replace(far, maintenance=MaintenanceSection(0))) as worker:
            assert worker.client("GET", "/v2/bakery/cookies0/manifests/v2").status == 200
            worker.client.push_image("bakery/cookies0", "numbers", [os.urandom(50)])

    await asyncio.to_thread(push)  # the next numbers of PostgreSQL are free
    done = await asyncio.to_thread(tack, "fsck", "--config", there, "--deep")
    assert (done.returncode, done.stdout) == (0, "Nothing is wrong.\n"), done
    done = await asyncio.to_thread(tack, "backup", "--config", there, tmp_path / "backup")
    assert done.returncode == 0, done
    done = await asyncio.to_thread(tack, "migrate", "--from", source, "--to", there)
    assert done.returncode == 1 and "never mixed" in done.stderr, done


async def test_a_server_that_takes_changes_is_in_the_way_and_one_that_does_not_is_not(
    source: Path, tmp_path: Path
) -> None:
    def tried(read_only: bool) -> Any:
        base = Config(server=ServerSection(read_only=read_only), maintenance=MaintenanceSection(0))
        with registry_worker(source, base=base, pause=3600):
            return tack("migrate", "--from", source, "--to", tmp_path / "target")

    done = await asyncio.to_thread(tried, False)
    assert done.returncode == 1 and "a server is running on" in done.stderr, done
    done = await asyncio.to_thread(tried, True)
    assert done.returncode == 0, done
    assert await state(at(source)) == await state(at(tmp_path / "target"))


def touch() -> Script[None]:
    yield "UPDATE repository SET summary = summary || 'x' WHERE name = 'bakery/cookies0'", ()


async def test_a_source_that_changes_is_noticed_and_another_attempt_takes_its_new_state(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, target = at(source), at(tmp_path / "target")
    prepare_stores(target)
    for moment in ("before the rows are sent", "after they were sent"):
        async with open_stores(config) as old, open_stores(target) as new:

            async def put_in(database: Any, manifest: Any, tell: Any, real: Any = importing.put_in) -> None:
                if moment.startswith("before"):  # noqa: B023
                    await old.database.write(touch)
                await real(database, manifest, tell)
                if moment.startswith("after"):  # noqa: B023
                    await old.database.write(touch)

            with monkeypatch.context() as patch:
                patch.setattr(migrate, "put_in", put_in)
                with pytest.raises(SourceChanged):
                    await migrate.migrate(old, new, "a", "b")
            assert await new.database.read(importing.progress) is not None
    async with open_stores(config) as old, open_stores(target) as new:
        with pytest.raises(InTheWay, match="unfinished copy of a"):
            await migrate.migrate(old, new, "another", "b")
        await migrate.migrate(old, new, "a", "b")
    assert await state(config) == await state(target)


async def test_an_interrupted_copy_to_postgresql_and_s3_goes_on(
    source: Path, far: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portable, "_PART", 500)

    class Dies(Exception):
        pass

    for left in (0, 3, 8):
        steps = left

        async def put_in(*values: Any, real: Any = importing.Loader.part) -> None:
            nonlocal steps
            steps -= 1
            if steps < 0:
                raise Dies
            await real(*values)

        async with open_stores(at(source)) as old, open_stores(far) as new:
            with monkeypatch.context() as patch:
                patch.setattr(importing.Loader, "part", put_in)
                with pytest.raises(Dies):
                    await migrate.migrate(old, new, "a", "b")
    async with open_stores(at(source)) as old, open_stores(far) as new:
        report = await migrate.migrate(old, new, "a", "b")
    assert report.new_blobs == 0  # they had all come before
    assert await state(far) == await state(at(source))


async def test_a_backup_of_files_is_restored_to_postgresql_and_s3(source: Path, far: Config, tmp_path: Path) -> None:
    async with open_stores(at(source)) as stores:
        await back_up(*stores, str(tmp_path / "backup"))
    async with open_stores(far) as stores:
        report = await restore(str(tmp_path / "backup"), *stores, "there")
    assert report.new_blobs == report.manifest.blobs
    assert await state(far) == await state(at(source))


async def test_what_cannot_be_is_refused(source: Path, tmp_path: Path) -> None:
    for words, told in (
        (("--from", source, "--to", source), "the same registry"),
        (("--from", tmp_path / "nothing", "--to", tmp_path / "t"), "no registry at"),
        (("--from", source), "both needed"),
        (("--from", source, "--to", tmp_path / "no.toml"), "no file"),
    ):
        done = await asyncio.to_thread(tack, "migrate", *words)
        assert done.returncode == 1 and told in done.stderr, done
