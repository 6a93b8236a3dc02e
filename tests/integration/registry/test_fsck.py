"""`tack registry fsck` and the scrubber: damage is found and named, mended if possible, and a push heals the rest."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hardtack.oci.digest import Digest
from hardtack.registry.config.document import Config
from hardtack.registry.config.maintenance import MaintenanceSection
from hardtack.registry.maintenance import fsck as maintenance
from hardtack.registry.maintenance.findings import Check, Finding
from hardtack.registry.maintenance.scrub import Scrubber
from hardtack.registry.metrics import Count
from support.our_registry import TACK, Client
from support.registry_worker import Worker, registry_worker

LAYER = b"the layer that gets hurt" * 50
OTHER = b"the layer of nobody else"


def fsck(worker: Worker, deep: bool = False, repair: bool = False) -> tuple[int, dict[str, Finding]]:
    """How much is left to do, and the findings by kind; within the process, which is quicker than the command."""
    service = worker.service
    check = Check(service.database, service.blobs, repair, deep)

    async def all_of() -> list[Finding]:
        return [finding async for finding in maintenance.fsck(check)]

    found = worker.run(all_of())
    left = sum(not finding.repaired and not finding.harmless for finding in found)
    return left, {finding.kind: finding for finding in found}


def command(root: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """The command."""
    words = [TACK, "registry", "fsck", "--root", str(root), *flags]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def change(root: Path, *statements: str) -> None:
    with closing(sqlite3.connect(root / "registry.db", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def place(root: Path, data: bytes) -> Path:
    digits = Digest.of(data).hex
    return root / "blobs" / "sha256" / digits[:2] / digits


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Worker, Path]]:
    """A registry that serves one image twice, and is whole. Costs 100 ms."""
    root = tmp_path / "root"
    config = replace(Config(), maintenance=MaintenanceSection(0))
    with registry_worker(root, base=config, pause=3600, grace=0.0) as worker:
        worker.client.push_image("bakery/cookies", "v1", [LAYER, OTHER])
        worker.client.push_image("bakery/bread", "v1", [LAYER])
        yield worker, root


DAMAGES: list[tuple[str, Callable[[Path], Any], str, bool]] = [
    ("gone", lambda root: place(root, LAYER).unlink(), "blob-missing", False),
    ("short", lambda root: os.truncate(place(root, LAYER), 7), "blob-damaged", False),
    ("bits", lambda root: place(root, LAYER).write_bytes(b"x" + LAYER[1:]), "blob-damaged", False),
    (
        "content",
        lambda root: change(root, "UPDATE content SET body = CAST(body || ' ' AS BLOB)"),
        "manifest-damaged",
        False,
    ),
    ("size of blob", lambda root: change(root, "UPDATE blob SET size = 3"), "blob-size-wrong", True),
    ("idle blob", lambda root: change(root, "UPDATE blob SET idle = 5"), "blob-mark-wrong", True),
    ("idle link", lambda root: change(root, "UPDATE link SET idle = 5"), "link-mark-wrong", True),
    ("size", lambda root: change(root, "UPDATE repository SET size = 5"), "size-wrong", True),
    ("edges", lambda root: change(root, "DELETE FROM edge WHERE kind = 'layer'"), "manifest-noted-wrong", True),
    ("noted", lambda root: change(root, "UPDATE manifest SET subject = 'x'"), "manifest-noted-wrong", True),
    ("tag", lambda root: change(root, f"UPDATE tag SET digest = 'sha256:{'0' * 64}'"), "tag-dangling", True),
    ("content row", lambda root: change(root, "DELETE FROM content"), "row-dangling", False),
    ("link", lambda root: change(root, "DELETE FROM link"), "manifest-incomplete", False),
    ("row", lambda root: change(root, "DELETE FROM blob"), "blob-unknown", True),
    ("mark", lambda root: change(root, "INSERT INTO lost SELECT digest, 5, 'x' FROM blob"), "blob-back", True),
]


@pytest.mark.parametrize(("damage", "kind", "mends"), [row[1:] for row in DAMAGES], ids=[row[0] for row in DAMAGES])
def test_a_damage_is_found_and_mended_where_that_is_possible(
    served: tuple[Worker, Path], damage: Callable[[Path], Any], kind: str, mends: bool
) -> None:
    worker, root = served
    assert fsck(worker, True) == (0, {})
    damage(root)
    left, found = fsck(worker, True)
    assert left and kind in found and not found[kind].repaired, found
    left, found = fsck(worker, True, True)
    assert kind in found and found[kind].repaired == mends, found
    assert (left == 0) == mends
    assert (fsck(worker, True)[0] == 0) == mends
    worker.client.push_image("bakery/cookies", "v1", [LAYER, OTHER])
    worker.client.push_image("bakery/bread", "v1", [LAYER])
    fsck(worker, True, True)
    left, found = fsck(worker, True)
    assert left == 0 and found.keys() <= {"quarantine"}, found
    for name in ("bakery/cookies", "bakery/bread"):
        manifest = worker.client("GET", f"/v2/{name}/manifests/v1").json()
        for layer in manifest["layers"]:
            assert worker.client("GET", f"/v2/{name}/blobs/{layer['digest']}").status == 200


def test_a_cache_that_has_not_fetched_everything_lacks_nothing(served: tuple[Worker, Path]) -> None:
    worker, root = served
    change(root, "DELETE FROM link")
    assert fsck(worker)[1].keys() >= {"manifest-incomplete"}
    change(root, "UPDATE repository SET upstream = 'hub'")
    assert "manifest-incomplete" not in fsck(worker)[1]


def test_a_repair_is_advised_only_where_it_does_something(served: tuple[Worker, Path]) -> None:
    worker, root = served
    change(root, "UPDATE manifest SET subject = 'x'")
    assert command(root).stdout.endswith("2 to repair: run `tack registry fsck --repair`.\n")
    assert command(root, "--repair").returncode == 0
    place(root, LAYER).unlink()
    assert fsck(worker, repair=True)[0] == 1
    said = command(root)
    assert said.returncode == 1
    assert said.stdout.endswith("\n1 left, which no repair puts right: do what is said of each.\n"), said.stdout


def test_a_finding_names_what_needs_the_blob_and_the_bytes_are_kept_in_quarantine(served: tuple[Worker, Path]) -> None:
    _, root = served
    place(root, LAYER).write_bytes(b"rotten" + LAYER[6:])
    done = command(root, "--deep", "--repair", "--format", "json")
    assert done.returncode == 1
    found = {entry["Kind"]: entry for entry in json.loads(done.stdout)}
    damaged = found["blob-damaged"]
    assert "bakery/bread:v1" in damaged["Message"] and "bakery/cookies:v1" in damaged["Message"]
    assert damaged["Hint"] == "Push bakery/bread:v1 again"
    (kept,) = (root / "quarantine").iterdir()
    assert kept.read_bytes().startswith(b"rotten") and str(Digest.of(LAYER)) in kept.name
    assert found["quarantine"]["Harmless"]


def test_what_is_lost_is_404_to_head_and_get_and_back_after_a_push(served: tuple[Worker, Path]) -> None:
    (worker, root), client = served, served[0].client
    path = f"/v2/bakery/bread/blobs/{Digest.of(LAYER)}"
    place(root, LAYER).unlink()
    assert client("HEAD", path).status == 200  # nobody knows yet
    assert client("GET", path).status == 404
    assert client("HEAD", path).status == 404  # now the client pushes it
    mounted = client("POST", f"/v2/new/name/blobs/uploads/?mount={Digest.of(LAYER)}&from=bakery/bread")
    assert mounted.status == 202, "nobody can mount what is not there"
    manifest = client("GET", "/v2/bakery/bread/manifests/v1")
    refused = client(
        "PUT", "/v2/bakery/bread/manifests/v2", manifest.body, Content_Type=manifest.headers["content-type"]
    )
    assert (refused.status, refused.code()) == (400, "MANIFEST_BLOB_UNKNOWN")
    client.push_blob("bakery/cookies", LAYER)
    assert client("HEAD", path).status == client("GET", path).status == 200
    assert fsck(worker, True) == (0, {})


def test_a_manifest_whose_bytes_are_wrong_is_not_served_and_a_push_fills_it(served: tuple[Worker, Path]) -> None:
    (worker, root), client = served, served[0].client
    manifest = client("GET", "/v2/bakery/bread/manifests/v1")
    digest = manifest.headers["docker-content-digest"]
    change(root, f"UPDATE content SET body = CAST(replace(body, 'layers', 'x') AS BLOB) WHERE digest = '{digest}'")
    fsck(worker, repair=True)
    for reference in ("v1", digest):
        assert client("GET", f"/v2/bakery/bread/manifests/{reference}").status == 404
        assert client("HEAD", f"/v2/bakery/bread/manifests/{reference}").status == 404
    assert fsck(worker)[1].keys() == {"manifest-lost"}
    client.push_manifest("bakery/bread", "v1", manifest.body)
    assert client("GET", "/v2/bakery/bread/manifests/v1").body == manifest.body
    assert fsck(worker) == (0, {})


def test_what_a_death_leaves_behind_is_noted_and_swept(served: tuple[Worker, Path]) -> None:
    worker, root = served
    stray = place(root, b"nobody knows me")
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_bytes(b"nobody knows me")
    upload = root / "uploads" / "6b1fb6b2-5d0c-4c3c-8d4b-0123456789ab"
    upload.write_bytes(b"half")
    os.utime(upload, (1, 1))
    location = worker.client("POST", "/v2/bakery/bread/blobs/uploads/").headers["location"]
    (root / "uploads" / location.rpartition("/")[2]).unlink()
    change(root, "UPDATE upload SET touched = 5")
    told = command(root)
    assert told.returncode == 0 and told.stdout.count("note: ") == 3 and told.stdout.endswith("Nothing is wrong.\n")
    left, found = fsck(worker, repair=True)
    assert left == 0 and found.keys() == {"blob-stray", "upload-stray", "upload-missing"}
    assert fsck(worker) == (0, {}) and not upload.exists()


def test_a_database_that_is_broken_is_told_and_nothing_else(served: tuple[Worker, Path], tmp_path: Path) -> None:
    _, root = served
    copy = tmp_path / "copy"
    with closing(sqlite3.connect(root / "registry.db")) as source:
        copy.mkdir()
        with closing(sqlite3.connect(copy / "registry.db")) as target:
            source.backup(target)
    data = bytearray((copy / "registry.db").read_bytes())
    data[-4096:] = b"\x0d" + os.urandom(4095)
    (copy / "registry.db").write_bytes(data)
    told = command(copy)
    assert told.returncode == 1 and told.stdout.startswith("database-damaged registry.db: "), told


def test_pushes_pulls_and_deletes_meanwhile_are_no_damage(served: tuple[Worker, Path]) -> None:
    worker, _ = served
    stop = threading.Event()
    wrong: list[object] = []

    def work(number: int) -> None:
        client, turn = Client(worker.host), 0
        while not stop.is_set():
            turn += 1
            digest = client.push_image(f"busy/{number}", f"v{turn % 3}", [LAYER, os.urandom(500)])
            if turn % 2:
                client("DELETE", f"/v2/busy/{number}/manifests/{digest}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        for deep, repair in ((False, False), (True, False), (True, True)) * 4:
            _, found = fsck(worker, deep, repair)
            if found:
                wrong.append((deep, repair, found))
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert not wrong
    assert fsck(worker, True) == (0, {})


def scrubbed(worker: Worker, rate: int = 1 << 30) -> None:
    config = replace(worker.service.config, maintenance=MaintenanceSection(rate, 60.0))
    worker.run(Scrubber(replace(worker.service, config=config)).scrub())


def test_the_scrubber_finds_what_fsck_finds_and_goes_on_where_it_was(
    served: tuple[Worker, Path], caplog: pytest.LogCaptureFixture
) -> None:
    worker, root = served
    scrubbed(worker)
    totals = worker.service.metrics.totals()
    assert totals.count(Count.SCRUBBED_BLOBS) == 4 and totals.count(Count.DAMAGED) == 0
    place(root, LAYER).write_bytes(b"x" + LAYER[1:])
    place(root, OTHER).unlink()
    change(root, "UPDATE content SET body = x'00' WHERE digest = (SELECT min(digest) FROM content)")
    scrubbed(worker)  # it is not time yet
    assert worker.service.metrics.totals().count(Count.SCRUBBED_BLOBS) == 4
    change(root, """UPDATE fact SET value = '[5, false, "", true]' WHERE name = 'scrub'""")
    scrubbed(worker)
    assert worker.service.metrics.totals().count(Count.DAMAGED) == 3
    assert "needed by bakery/bread:v1, bakery/cookies:v1" in caplog.text
    for data in (LAYER, OTHER):
        assert worker.client("HEAD", f"/v2/bakery/cookies/blobs/{Digest.of(data)}").status == 404
    after = max(str(Digest.of(LAYER)), str(Digest.of(OTHER)))
    change(root, f"""UPDATE fact SET value = '[5, false, "{after}", false]' WHERE name = 'scrub'""")
    before = worker.service.metrics.totals().count(Count.SCRUBBED_BLOBS)
    scrubbed(worker)
    assert worker.service.metrics.totals().count(Count.SCRUBBED_BLOBS) - before < 4


def test_without_a_rate_nothing_is_scrubbed(served: tuple[Worker, Path]) -> None:
    config = replace(Config(), maintenance=MaintenanceSection(0))
    served[0].run(Scrubber(replace(served[0].service, config=config)).run())  # returns at once
