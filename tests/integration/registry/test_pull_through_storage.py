"""The cache where nothing can be stored, where there is no room, and where several processes want the same."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hardtack.registry.config.document import Config
from hardtack.registry.config.options import Secret
from hardtack.registry.config.stores import BlobsSection
from support.bad_registry import BadRegistry
from support.disks import fill, small_disk
from support.our_registry import Client, OurRegistry, our_registry
from support.pull_through import caching, drip, upstream_of
from support.weed import weed

_LARGE = 9 << 20


@pytest.fixture
def upstream() -> Iterator[BadRegistry]:
    with BadRegistry() as running:
        yield running


def _publish(upstream: BadRegistry, data: bytes) -> str:
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": "", "size": len(data)}
    layer["digest"] = upstream.add_blob(data)
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": upstream.add_blob(b"{}"), "size": 2}
    upstream.add_manifest("app", "1", {"schemaVersion": 2, "config": config, "layers": [layer]})
    return str(layer["digest"])


def test_a_read_only_registry_passes_on_and_keeps_nothing(upstream: BadRegistry, tmp_path: Path) -> None:
    data = os.urandom(_LARGE)
    layer = _publish(upstream, data)
    with caching(tmp_path / "root", upstream_of(upstream), read_only=True) as worker:
        for _ in range(2):
            assert worker.client("GET", "/v2/hub/app/manifests/1").status == 200
        path = f"/v2/hub/app/blobs/{layer}"
        assert worker.client("GET", path).body == data
        assert worker.client("GET", path, Range=f"bytes={_LARGE - 100}-").body == data[-100:]
        assert not worker.run(worker.service.metadata.repositories())
    assert not os.listdir(tmp_path / "root" / "uploads")
    assert len(upstream.paths("GET", "/blobs/")) == 2


def test_where_nothing_is_kept_the_slowest_client_sets_the_pace_and_all_get_everything(
    upstream: BadRegistry, tmp_path: Path
) -> None:
    data = os.urandom(3 * _LARGE)
    layer = _publish(upstream, data)
    go_on = threading.Event()
    upstream.fault("GET /v2/app/blobs/", drip(1000, go_on), times=1)
    with caching(tmp_path / "root", upstream_of(upstream), read_only=True) as worker, ThreadPoolExecutor(2) as pool:
        slow = http.client.HTTPConnection(worker.host, timeout=20)
        slow.request("GET", f"/v2/hub/app/blobs/{layer}")
        response = slow.getresponse()
        got = response.read(500)
        quick = pool.submit(worker.client, "GET", f"/v2/hub/app/blobs/{layer}")
        time.sleep(0.2)
        go_on.set()
        time.sleep(0.5)
        while chunk := response.read(1 << 20):
            got += chunk
        assert got == data
        assert quick.result().body == data
        slow.close()
    assert len(upstream.paths("GET", "/blobs/")) == 1


def test_where_nothing_is_kept_and_nobody_waits_the_fetch_ends(upstream: BadRegistry, tmp_path: Path) -> None:
    layer = _publish(upstream, os.urandom(3 * _LARGE))
    with caching(tmp_path / "root", upstream_of(upstream), read_only=True) as worker:
        connection = http.client.HTTPConnection(worker.host, timeout=20)
        connection.request("GET", f"/v2/hub/app/blobs/{layer}")
        connection.getresponse().read(1000)
        connection.close()
        end = time.monotonic() + 5
        while worker.service.upstreams._blobs._fetches:
            assert time.monotonic() < end
            time.sleep(0.02)


@pytest.mark.parametrize("room", [0, 4 << 20])
def test_a_full_disk_does_not_keep_anybody_from_pulling(upstream: BadRegistry, tmp_path: Path, room: int) -> None:
    data = os.urandom(_LARGE)
    layer = _publish(upstream, data)
    with (
        small_disk(tmp_path / "disk", "24m") as disk,
        caching(disk / "root", upstream_of(upstream)) as worker,
    ):
        assert worker.client("GET", "/v2/hub/app/manifests/1").status == 200
        filler = fill(disk, room)
        assert worker.client("GET", f"/v2/hub/app/blobs/{layer}").body == data
        assert worker.client("GET", "/v2/hub/app/manifests/1").status == 200
        assert not os.listdir(disk / "root" / "uploads")
        assert worker.run(worker.service.metadata.blob_size("hub/app", layer)) is None
        filler.unlink()


def test_a_namespace_over_its_quota_is_served_and_not_filled(upstream: BadRegistry, tmp_path: Path) -> None:
    from hardtack.registry.repositories.settings import set_quota

    data = os.urandom(300_000)
    layer = _publish(upstream, data)
    with caching(tmp_path / "root", upstream_of(upstream)) as worker:
        worker.run(worker.service.database.write(set_quota, "hub", 100_000))
        assert worker.client("GET", "/v2/hub/app/manifests/1").status == 200
        for _ in range(2):
            assert worker.client("GET", f"/v2/hub/app/blobs/{layer}").body == data
        assert worker.run(worker.service.metadata.blob_size("hub/app", layer)) is None


@contextlib.contextmanager
def _processes(upstream: BadRegistry, folder: Path, workers: int) -> Iterator[OurRegistry]:
    config = folder / "registry.toml"
    config.write_text(
        f'[[upstream]]\nprefix = "hub"\nurl = "{upstream.url}"\n[network]\nallow = ["127.0.0.1"]\n'
        '[access]\nmode = "open"\n'
    )
    with our_registry(folder / "root", "--config", str(config), workers=workers) as registry:
        yield registry


def _begun(registry: OurRegistry, path: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(registry.host, timeout=30)
    connection.request("GET", path)
    response = connection.getresponse()
    response.read(1000)
    return response


def test_processes_follow_the_one_that_fetches(upstream: BadRegistry, tmp_path: Path) -> None:
    data = os.urandom(_LARGE)
    layer = _publish(upstream, data)
    path = f"/v2/hub/app/blobs/{layer}"
    go_on = threading.Event()
    with _processes(upstream, tmp_path, 3) as registry, ThreadPoolExecutor(24) as pool:
        tags = pool.map(lambda _: Client(registry.host)("GET", "/v2/hub/app/manifests/1").status, range(24))
        assert list(tags) == [200] * 24
        assert len(upstream.paths("GET", "/manifests/")) == 1
        upstream.fault("/blobs/", drip(6 << 20, go_on))
        first = _begun(registry, path)
        others = [_begun(registry, path) for _ in range(12)]
        assert all(other.read(2_000_000) == data[1000:2_001_000] for other in others)
        go_on.set()
        assert first.read() == data[1000:]
        assert all(other.read() == data[2_001_000:] for other in others)
        assert len(upstream.paths("GET", "/blobs/")) == 1


def test_another_process_takes_over_when_the_one_that_fetches_dies(upstream: BadRegistry, tmp_path: Path) -> None:
    data = os.urandom(_LARGE)
    layer = _publish(upstream, data)
    path = f"/v2/hub/app/blobs/{layer}"
    go_on = threading.Event()
    with _processes(upstream, tmp_path, 2) as registry:
        assert registry.client("GET", "/v2/hub/app/manifests/1").status == 200
        upstream.fault("/blobs/", drip(6 << 20, go_on), times=1)
        waiting = [_begun(registry, path) for _ in range(12)]
        fetching = [pid for pid in registry.workers() if _has_open(pid, tmp_path / "root" / "uploads")]
        assert len(fetching) == 1
        os.kill(fetching[0], signal.SIGKILL)
        whole = cut = 0
        for response in waiting:
            try:
                whole += response.read() == data[1000:]
            except (http.client.IncompleteRead, ConnectionError):
                cut += 1
        go_on.set()
        assert whole + cut == len(waiting)
        assert whole
        assert registry.client("GET", path).body == data


def _has_open(pid: int, folder: Path) -> bool:
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if os.readlink(entry).startswith(str(folder)):
                return True
    return False


def test_replicas_over_an_object_store_fetch_for_their_own_clients_and_share_what_is_kept(
    upstream: BadRegistry, tmp_path: Path
) -> None:
    pytest.importorskip("aiobotocore", reason="needs aiobotocore (pip install hardtack[s3])")
    place = weed().settings()
    store = BlobsSection(
        f"s3://{place.bucket}/{place.prefix}", place.endpoint, "", place.access_key, Secret(place.secret_key)
    )
    base = Config(blobs=store)
    data = os.urandom(_LARGE)
    layer = _publish(upstream, data)
    path = f"/v2/hub/app/blobs/{layer}"
    go_on = threading.Event()
    with (
        caching(tmp_path / "root", upstream_of(upstream), base=base) as one,
        caching(tmp_path / "root", upstream_of(upstream), base=base) as two,
        ThreadPoolExecutor(9) as pool,
    ):
        assert one.client("GET", "/v2/hub/app/manifests/1").status == 200
        upstream.fault("/blobs/", drip(8 << 20, go_on))
        first = pool.submit(one.client, "GET", path)
        time.sleep(0.3)
        late = [pool.submit(worker.client, "GET", path) for worker in (one, two) * 4]  # behind what memory has
        time.sleep(0.3)
        go_on.set()
        assert all(answer.result().body == data for answer in (first, *late))
        assert len(upstream.paths("GET", "/blobs/")) == 2
        assert two.client("GET", path, Range="bytes=5-9").body == data[5:10]
        assert len(upstream.paths("GET", "/blobs/")) == 2
