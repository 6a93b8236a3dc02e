"""Backups while the registry serves, and registries made from them."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hardtack.registry.config.document import Config
from hardtack.registry.config.maintenance import MaintenanceSection
from hardtack.registry.maintenance.backup import back_up
from support.disks import fill as fill_disk
from support.disks import small_disk
from support.our_registry import Client, our_registry
from support.registry_copies import at, fill, state, tack
from support.registry_worker import Worker, registry_worker


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Worker]:
    """A registry that serves; nothing in it changes by itself. Costs 200 ms."""
    config = replace(Config(), maintenance=MaintenanceSection(0))
    with registry_worker(tmp_path / "root", base=config, pause=3600) as worker:
        fill(worker.client)
        yield worker


def same(one: Path, two: Path) -> None:
    (tables, blobs), (others, copies) = (asyncio.run(state(at(root))) for root in (one, two))
    for volatile in ("event", "pulled"):  # what a server that runs writes down and takes away by itself
        del tables[volatile], others[volatile]
    assert tables == others and blobs == copies


def blobs(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "blobs").rglob("*") if path.is_file())


def test_what_is_restored_is_what_was_backed_up_and_serves(served: Worker, tmp_path: Path) -> None:
    root, backup, other = tmp_path / "root", tmp_path / "backup", tmp_path / "other"
    done = tack("backup", "--root", root, backup)
    assert done.returncode == 0 and done.stdout.startswith("Backed up 2 repositories, "), done
    done = tack("restore", "--root", other, backup)
    assert done.returncode == 0, done
    same(root, other)
    with our_registry(other, workers=1) as registry:
        tags = registry.client("GET", "/v2/bakery/cookies0/tags/list").json()["tags"]
        assert tags == served.client("GET", "/v2/bakery/cookies0/tags/list").json()["tags"]
        registry.client.push_image("bakery/cookies0", "later", [b"new"])
    assert oct(backup.stat().st_mode & 0o777) == "0o700"
    assert not [path for path in backup.glob("metadata-*/*") if path.stat().st_mode & 0o077]


def test_a_second_backup_copies_only_what_is_new_and_drops_what_is_no_longer_needed(
    served: Worker, tmp_path: Path
) -> None:
    root, backup = tmp_path / "root", tmp_path / "backup"
    tack("backup", "--root", root, backup)
    before = {path: path.stat().st_mtime_ns for path in blobs(backup)}
    served.client.push_image("bakery/cookies0", "new", [b"only this is new"])
    for tag in ("v1", "v3", "v5", "signature"):
        name = "bakery/cookies0" if tag == "signature" else "bakery/cookies1"
        digest = served.client("HEAD", f"/v2/{name}/manifests/{tag}").headers["docker-content-digest"]
        assert served.client("DELETE", f"/v2/{name}/manifests/{digest}").status == 202
    done = tack("backup", "--root", root, backup)
    assert done.returncode == 0 and "; 1 blobs of 16B were copied" in done.stdout, done
    after = {path: path.stat().st_mtime_ns for path in blobs(backup)}
    assert all(after[path] == before[path] for path in after if path in before)
    assert len(list(backup.glob("metadata-*"))) == 1 and not list((backup / "uploads").iterdir())
    shutil.rmtree(tmp_path / "other", ignore_errors=True)
    assert tack("restore", "--root", tmp_path / "other", backup).returncode == 0
    same(root, tmp_path / "other")


def test_a_stream_is_the_same_backup_and_half_of_one_is_none(served: Worker, tmp_path: Path) -> None:
    root, stream = tmp_path / "root", tmp_path / "backup.tar"
    with open(stream, "wb") as out:
        assert tack("backup", "--root", root, "-", capture_output=False, stdout=out).returncode == 0
    data = stream.read_bytes()
    for cut in (100, len(data) // 2, len(data) - 20_000):
        (tmp_path / "cut").write_bytes(data[:cut])
        with open(tmp_path / "cut", "rb") as source:
            done = tack("restore", "--root", tmp_path / "other", "-", stdin=source)
        assert done.returncode == 1 and "breaks off" in done.stderr, (cut, done)
    with open(stream, "rb") as source:
        assert tack("restore", "--root", tmp_path / "other", "-", stdin=source).returncode == 0
    same(root, tmp_path / "other")
    assert not (tmp_path / "other" / "restore").exists()
    (tmp_path / "folder").mkdir()
    shutil.unpack_archive(stream, tmp_path / "folder", "tar")
    assert tack("restore", "--root", tmp_path / "third", tmp_path / "folder").returncode == 0
    same(root, tmp_path / "third")


def test_a_backup_beside_pushes_and_deletes_is_one_whole_state(served: Worker, tmp_path: Path) -> None:
    root, backup, stop = tmp_path / "root", tmp_path / "backup", threading.Event()

    def work(number: int) -> None:
        client, turn = Client(served.host), 0
        while not stop.is_set():
            turn += 1
            digest = client.push_image(f"busy/{number}", f"v{turn % 4}", [os.urandom(500), b"shared crumbs"])
            if turn % 2:
                client("DELETE", f"/v2/busy/{number}/manifests/{digest}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        done = [tack("backup", "--root", root, backup) for _ in range(2)]
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert [one.returncode for one in done] == [0, 0], done
    assert tack("restore", "--root", tmp_path / "other", backup).returncode == 0
    tables, _ = asyncio.run(state(at(tmp_path / "other")))  # which finds nothing wrong in it
    assert tables["repository"][0] > 2


def test_a_blob_that_is_damaged_is_told_and_the_backup_before_stays(served: Worker, tmp_path: Path) -> None:
    root, backup = tmp_path / "root", tmp_path / "backup"
    assert tack("backup", "--root", root, backup).returncode == 0
    told = (backup / "backup.json").read_bytes()
    layer = served.client.push_blob("bakery/cookies0", b"soon hurt")
    path = root / "blobs" / "sha256" / layer.hex[:2] / layer.hex
    path.write_bytes(b"soon HURT")
    done = tack("backup", "--root", root, backup)
    assert done.returncode == 1 and str(layer) in done.stderr and "fsck --deep --repair" in done.stderr, done
    with open(tmp_path / "stream", "wb") as out:
        assert tack("backup", "--root", root, "-", capture_output=False, stdout=out, stderr=out).returncode == 1
    assert (backup / "backup.json").read_bytes() == told
    tack("fsck", "--root", root, "--deep", "--repair")
    done = tack("backup", "--root", root, backup)
    assert done.returncode == 0 and "1 of them lost before" in done.stdout, done


def test_a_backup_that_is_damaged_is_not_restored(served: Worker, tmp_path: Path) -> None:
    root, backup = tmp_path / "root", tmp_path / "backup"
    assert tack("backup", "--root", root, backup).returncode == 0
    (part,) = backup.glob("metadata-*/tag.000000.jsonl")
    rows = part.read_bytes()
    part.write_bytes(rows.replace(b"v1", b"v7", 1))
    done = tack("restore", "--root", tmp_path / "other", backup)
    assert done.returncode == 1 and "a part of table tag" in done.stderr, done
    done = tack("serve", "--root", tmp_path / "other", "--listen", "127.0.0.1:0", timeout=20)
    assert done.returncode == 1 and "is not finished" in done.stderr, done
    part.write_bytes(rows)
    hurt = blobs(backup)[3]
    whole = hurt.read_bytes()
    hurt.unlink()  # it is a link to the registry's own
    hurt.write_bytes(whole[:-1] + b"!")
    done = tack("restore", "--root", tmp_path / "third", backup)
    assert done.returncode == 1 and hurt.name in done.stderr, done
    hurt.write_bytes(whole)
    for other in ("other", "third"):
        assert tack("restore", "--root", tmp_path / other, backup).returncode == 0
        same(root, tmp_path / other)


def test_nothing_is_ever_mixed(served: Worker, tmp_path: Path) -> None:
    root, backup = tmp_path / "root", tmp_path / "backup"
    assert tack("backup", "--root", root, backup).returncode == 0
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("mine")
    for words, told in (
        (("restore", "--root", root, backup), "a server is running"),
        (("restore", "--root", tmp_path / "home", backup), "holds something that is no registry"),
        (("restore", "--root", tmp_path / "new", tmp_path / "home"), "no backup"),
        (("backup", "--root", root, tmp_path / "home"), "holds something that is no backup"),
        (("backup", "--root", root, root), "holds something that is no backup"),
        (("backup", "--root", tmp_path / "nowhere", tmp_path / "b"), "no registry at"),
    ):
        done = tack(*words)
        assert done.returncode == 1 and told in done.stderr, done
    assert not (tmp_path / "new").exists()
    assert tack("restore", "--root", tmp_path / "other", backup).returncode == 0
    done = tack("restore", "--root", tmp_path / "other", backup)
    assert done.returncode == 1 and "never mixed" in done.stderr, done


def test_a_full_disk_ends_a_backup_and_more_room_lets_it_go_on(served: Worker, tmp_path: Path) -> None:
    root = tmp_path / "root"
    with small_disk(tmp_path / "disk", "2m") as disk:
        assert tack("backup", "--root", root, disk / "backup").returncode == 0
        told = (disk / "backup" / "backup.json").read_bytes()
        served.client.push_image("bakery/large", "v1", [os.urandom(1 << 20), os.urandom(1 << 20)])
        done = tack("backup", "--root", root, disk / "backup")
        assert done.returncode == 1 and "no room left at" in done.stderr, done
        assert (disk / "backup" / "backup.json").read_bytes() == told
        assert tack("restore", "--root", tmp_path / "other", disk / "backup").returncode == 0
        filler = fill_disk(disk)
        assert tack("backup", "--root", root, disk / "backup").returncode == 1
        filler.unlink()
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        assert tack("backup", "--root", root, disk / "backup").returncode == 0
        assert tack("restore", "--root", tmp_path / "third", disk / "backup").returncode == 0
    same(root, tmp_path / "third")


def test_a_backup_waits_for_the_collector_and_holds_it_back(served: Worker, tmp_path: Path) -> None:
    database, blobs = served.service.database, served.service.blobs

    async def story() -> None:
        async with database.alone("collector") as ours:
            assert ours
            running = asyncio.create_task(back_up(database, blobs, str(tmp_path / "backup")))
            await asyncio.sleep(0.5)
            assert not running.done() and not (tmp_path / "backup" / "backup.json").exists()
        while not running.done():
            await asyncio.sleep(0)
            if list((tmp_path / "backup").glob("metadata-*")) and not running.done():
                async with database.alone("collector") as ours:
                    assert not ours or running.done() or (tmp_path / "backup" / "backup.json").exists()
        await running

    served.run(story())
