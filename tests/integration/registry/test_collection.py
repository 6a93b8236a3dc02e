"""Space is returned while the registry serves, and nothing that somebody needs is ever taken."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from hardtack.oci.digest import Digest
from hardtack.oci.mediatypes import OCI_CONFIG, OCI_MANIFEST
from hardtack.registry.access import Action
from hardtack.registry.collector import Collector, Freed
from hardtack.registry.config.document import Config
from hardtack.registry.config.topics import WebhooksSection
from hardtack.registry.server import worker as worker_module
from support.our_registry import our_registry
from support.registry_worker import GrantingGate, Worker, registry_worker

NEVER = 1e9


@pytest.fixture
def now(tmp_path: Path) -> Iterator[Worker]:
    """A worker that collects what is idle at once, when it is told to."""
    with registry_worker(tmp_path / "root", undelete=0.0, grace=-1.0, pause=NEVER, upload_life=NEVER) as running:
        yield running


def collect(worker: Worker, thorough: bool = True) -> Freed:
    return worker.run(Collector(worker.service).collect(thorough))


def files(root: Path) -> set[str]:
    return {path.name for folder in ("blobs", "trash") for path in (root / folder).rglob("*") if path.is_file()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def test_deleting_an_image_returns_its_space(now: Worker, root: Path) -> None:
    layers = [os.urandom(10_000), os.urandom(20_000)]
    digest = now.client.push_image("c/a", "v1", layers)
    assert collect(now).blobs == 0
    now.client("DELETE", f"/v2/c/a/manifests/{digest}")
    freed = collect(now)
    assert freed.blobs == 3
    assert freed.size >= 30_000
    assert files(root) == set()


def test_what_another_repository_links_to_stays(now: Worker, root: Path) -> None:
    layer = os.urandom(10_000)
    digest = now.client.push_image("c/a", "v1", [layer])
    now.client.push_image("c/b", "v1", [layer])
    now.client("DELETE", f"/v2/c/a/manifests/{digest}")
    collect(now)
    assert now.client("GET", f"/v2/c/b/blobs/{Digest.of(layer)}").body == layer
    assert now.client("GET", f"/v2/c/a/blobs/{Digest.of(layer)}").status == 404


def test_an_index_keeps_its_images_and_a_subject_its_referrers(now: Worker, root: Path) -> None:
    children = {name: now.client.push_image("c/i", f"tmp-{name}", [os.urandom(999)]) for name in ("amd64", "arm64")}
    now.client.push_index("c/i", "v1", children)
    for name in children:
        now.client("DELETE", f"/v2/c/i/manifests/tmp-{name}")
    empty = now.client.push_blob("c/i", b"{}")
    config = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": 2}
    subject = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": children["amd64"], "size": 1}
    document = {"schemaVersion": 2, "config": config, "layers": [], "subject": subject}
    raw = json.dumps(document).encode()
    signature = now.client.push_manifest("c/i", Digest.of(raw), raw)
    collect(now)
    for digest in (*children.values(), signature):
        manifest = now.client("GET", f"/v2/c/i/manifests/{digest}")
        assert manifest.status == 200
        for part in (manifest.json()["config"], *manifest.json()["layers"]):
            assert now.client("HEAD", f"/v2/c/i/blobs/{part['digest']}").status == 200


def test_blobs_of_a_push_in_progress_stay_however_long_it_takes(tmp_path: Path, root: Path) -> None:
    with registry_worker(root, grace=0.2, pause=NEVER, upload_life=NEVER) as worker:
        layer = worker.client.push_blob("c/slow", b"the first layer, long ago")
        location = worker.client("POST", "/v2/c/slow/blobs/uploads/").headers["location"]
        for number in range(8):
            time.sleep(0.1)
            assert worker.client("PATCH", location, bytes([number]) * 100).status == 202
            collect(worker)
        assert worker.client("HEAD", f"/v2/c/slow/blobs/{layer}").status == 200
        worker.client("DELETE", location)
        time.sleep(0.3)
        collect(worker)
        assert worker.client("HEAD", f"/v2/c/slow/blobs/{layer}").status == 404


@pytest.mark.parametrize("limits", [{"grace": 0.4}, {"upload_life": 0.4}], ids=["grace", "upload_life"])
@pytest.mark.parametrize("form", ["PATCH", "PUT", "POST"])
def test_a_push_is_alive_while_one_of_its_bodies_takes_long(
    tmp_path: Path, root: Path, form: str, limits: dict[str, float]
) -> None:
    """The small layers are there, the large one is on its way for longer than anything rests, in one single request."""
    large = os.urandom(1000)
    with registry_worker(root, pause=NEVER, **limits) as worker:
        layer = worker.client.push_blob("c/slow", b"the first layer, long ago")
        path = "/v2/c/slow/blobs/uploads/"
        location = path if form == "POST" else worker.client("POST", path).headers["location"]
        host, _, port = worker.host.partition(":")
        with socket.create_connection((host, int(port))) as connection:
            head = f"{form} {location}?digest={Digest.of(large)} HTTP/1.1\r\nHost: localhost\r\n"
            connection.sendall(f"{head}Content-Length: 1000\r\n\r\n".encode() + large[:500])
            for _ in range(8):
                time.sleep(0.15)
                collect(worker)
            connection.sendall(large[500:])
            assert connection.recv(1000).startswith(b"HTTP/1.1 20")
        assert form != "PATCH" or worker.client("GET", location).headers["range"] == "0-999"
        assert worker.client("HEAD", f"/v2/c/slow/blobs/{layer}").status == 200


def test_what_a_push_has_found_stays_for_as_long_as_what_it_pushes(tmp_path: Path, root: Path) -> None:
    """Left by a push that broke off, it is about to be collected when the next push asks for it and is told "here"."""
    with registry_worker(root, grace=1.0, pause=NEVER) as worker:
        data = b"{}"
        config = worker.client.push_blob("c/again", data)
        time.sleep(0.7)
        assert worker.client("HEAD", f"/v2/c/again/blobs/{config}").status == 200
        time.sleep(0.5)
        collect(worker)
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": OCI_CONFIG, "digest": config, "size": len(data)},
            "layers": [],
        }
        assert (
            worker.client("PUT", "/v2/c/again/manifests/v1", json.dumps(document), Content_Type=OCI_MANIFEST).status
            == 201
        )


def test_asking_keeps_nothing_for_those_who_may_not_push(tmp_path: Path, root: Path) -> None:
    gate = GrantingGate(
        {"w": [("**", {Action.ENTER, Action.PULL, Action.PUSH})], "r": [("**", {Action.ENTER, Action.PULL})]}
    )
    with registry_worker(root, gate, grace=0.4, pause=NEVER) as worker:
        location = worker.client("POST", "/v2/c/a/blobs/uploads/", authorization="w").headers["location"]
        digest = Digest.of(b"x")
        assert worker.client("PUT", f"{location}?digest={digest}", b"x", authorization="w").status == 201
        time.sleep(0.3)
        assert worker.client("HEAD", f"/v2/c/a/blobs/{digest}", authorization="r").status == 200
        time.sleep(0.2)
        collect(worker)
        assert worker.client("HEAD", f"/v2/c/a/blobs/{digest}", authorization="w").status == 404


def test_a_blob_that_an_upload_has_claimed_stays(now: Worker, root: Path) -> None:
    """The collector strikes between the claim and the link, the one moment in which no link speaks for the blob."""
    data = b"claimed"
    digest = Digest.of(data)
    upload = "7b9d4942-fd01-4ea2-89b8-5e7d33afb5e0"
    service = now.service

    async def push_with_collection_in_between() -> None:
        await service.blobs.begin(upload)
        async with service.blobs.append(upload) as appender:
            await appender.write(data)
            await service.metadata.claim(upload, "c/a", "", digest, len(data))
            await Collector(service).collect()
            size = await appender.publish(digest)
            await Collector(service).collect()
            await service.metadata.finish_upload(upload, "c/a", digest, size)

    now.run(push_with_collection_in_between())
    assert now.client("GET", f"/v2/c/a/blobs/{digest}").body == data


def test_what_was_pushed_just_now_is_spared_when_an_image_is_deleted(tmp_path: Path, root: Path) -> None:
    with registry_worker(root, grace=60.0, pause=NEVER) as worker:
        layer = b"pushed by two at once"
        digest = worker.client.push_image("c/race", "v1", [layer])
        worker.client.push_blob("c/race", layer)  # somebody else is about to push another image of it
        worker.client("DELETE", f"/v2/c/race/manifests/{digest}")
        assert worker.client("HEAD", f"/v2/c/race/blobs/{Digest.of(layer)}").status == 200


def test_abandoned_uploads_expire(tmp_path: Path, root: Path) -> None:
    with registry_worker(root, upload_life=0.2, pause=NEVER) as worker:
        location = worker.client("POST", "/v2/c/gone/blobs/uploads/").headers["location"]
        worker.client("PATCH", location, b"x" * 5000)
        (root / "uploads" / "7b9d4942-fd01-4ea2-89b8-5e7d33afb5e0").write_bytes(b"of a process that died")
        collect(worker)
        assert len(list((root / "uploads").iterdir())) == 2
        time.sleep(0.3)
        assert collect(worker).uploads == 2
        assert worker.client("GET", location).status == 404
        assert list((root / "uploads").iterdir()) == []


def test_empty_repositories_leave_the_catalog(now: Worker, root: Path) -> None:
    digest = now.client.push_image("c/ghost", "v1")
    now.client.push_image("c/alive", "v1")
    now.client("DELETE", f"/v2/c/ghost/manifests/{digest}")
    collect(now)
    assert now.client("GET", "/v2/_catalog").json()["repositories"] == ["c/alive"]


def test_what_nobody_is_to_be_told_of_does_not_pile_up(tmp_path: Path, root: Path) -> None:
    base = Config(webhooks=WebhooksSection(enabled=False))
    with registry_worker(root, base=base, pause=NEVER) as worker:
        worker.client.push_image("c/a", "v1")
        collect(worker)
    with closing(sqlite3.connect(root / "registry.db")) as database:
        assert database.execute("SELECT count(*) FROM event").fetchone() == (0,)


def test_a_collector_that_breaks_off_is_begun_again(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The disk fails for a moment where nobody expects it; without a collector its space would never come back."""
    monkeypatch.setattr(worker_module, "_AGAIN", 0.05)
    failing = threading.Event()
    failing.set()
    statvfs = os.statvfs

    def unsteady(path: str) -> os.statvfs_result:
        if failing.is_set():
            raise OSError(errno.EIO, "Input/output error")
        return statvfs(path)

    monkeypatch.setattr(os, "statvfs", unsteady)
    with registry_worker(root, undelete=0.0, grace=-1.0, pause=0.05) as worker:
        digest = worker.client.push_image("c/a", "v1", [os.urandom(1000)])
        worker.client("DELETE", f"/v2/c/a/manifests/{digest}")
        time.sleep(0.3)
        failing.clear()
        end = time.monotonic() + 10
        while files(root):
            assert time.monotonic() < end
            time.sleep(0.05)
    assert "begun again" in caplog.text


def test_pushes_and_pulls_wait_for_a_step_of_a_collection_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk that needs 5 ms to remove a file. Costs 5 s, most of them asleep."""
    grace = 1.0
    with registry_worker(tmp_path / "root", undelete=0.0, grace=grace, pause=NEVER) as worker:
        blobs = worker.service.blobs
        remove = blobs.remove

        async def slowly(digests: Sequence[str]) -> None:
            await asyncio.sleep(0.005 * len(digests))
            await remove(digests)

        monkeypatch.setattr(blobs, "remove", slowly)
        layer = worker.client.push_blob("c/busy", b"a layer")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: worker.client.push_blob("c/idle", os.urandom(20)), range(400)))
        time.sleep(grace)
        freed: list[Freed] = []
        collecting = threading.Thread(target=lambda: freed.append(collect(worker)))
        began = time.monotonic()
        collecting.start()
        waits = []
        while collecting.is_alive():
            data = os.urandom(20)
            for method, path in (
                ("HEAD", f"/v2/c/busy/blobs/{layer}"),
                ("POST", f"/v2/c/busy/blobs/uploads/?digest={Digest.of(data)}"),
            ):
                asked = time.monotonic()
                assert worker.client(method, path, data if method == "POST" else None).status in (200, 201)
                waits.append(time.monotonic() - asked)
        took = time.monotonic() - began
    assert freed[0].blobs == 400
    assert took > 2
    assert max(waits) < took / 2


def test_a_server_collects_by_itself(tmp_path: Path) -> None:
    with our_registry(tmp_path / "root", "--grace", "0.2", "--undelete", "0s") as registry:
        digest = registry.client.push_image("c/auto", "v1", [os.urandom(5000)])
        registry.client("DELETE", f"/v2/c/auto/manifests/{digest}")
        end = time.monotonic() + 15
        while files(registry.root):
            assert time.monotonic() < end
            time.sleep(0.1)
