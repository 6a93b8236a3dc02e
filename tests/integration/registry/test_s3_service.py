"""The whole registry over a real S3 server: two replicas, one bucket, no folder of blobs in common."""

from __future__ import annotations

import os
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hardtack.oci.digest import Digest
from hardtack.registry.config.document import Config
from hardtack.registry.config.options import Secret
from hardtack.registry.config.stores import BlobsSection
from support.registry_worker import Worker, registry_worker
from support.weed import weed

MB = 1 << 20


@pytest.fixture
def config() -> Config:
    """Costs 1 s once."""
    place = weed().settings()
    where = f"s3://{place.bucket}/{place.prefix}"
    return Config(blobs=BlobsSection(where, place.endpoint, "", place.access_key, Secret(place.secret_key)))


@pytest.fixture
def replicas(config: Config, tmp_path: Path) -> Iterator[tuple[Worker, Worker]]:
    """Two workers that share the metadata. Costs 500 ms."""
    with registry_worker(tmp_path / "root", base=config) as one, registry_worker(tmp_path / "root", base=config) as two:
        yield one, two


def test_an_image_is_pushed_to_one_replica_and_pulled_from_another(
    replicas: tuple[Worker, Worker], tmp_path: Path
) -> None:
    one, two = (worker.client for worker in replicas)
    layer = os.urandom(3 * MB)
    one.push_image("bakery/cookies", "classic", [layer, b"crumbs"])
    manifest = two("GET", "/v2/bakery/cookies/manifests/classic").json()
    for described, data in zip(manifest["layers"], [layer, b"crumbs"], strict=True):
        path = f"/v2/bakery/cookies/blobs/{described['digest']}"
        answer, head = two("GET", path), two("HEAD", path)
        assert (answer.status, answer.body, head.body) == (200, data, b"")
        same = {"content-length", "content-type", "etag", "docker-content-digest", "accept-ranges"}
        assert {name: head.headers[name] for name in same} == {name: answer.headers[name] for name in same}
    path = f"/v2/bakery/cookies/blobs/{Digest.of(layer)}"
    part = two("GET", path, Range="bytes=1000000-2000000")
    assert (part.status, part.body) == (206, layer[1_000_000:2_000_001])
    assert two("GET", path, Range="bytes=-10").body == layer[-10:]
    assert two("GET", path, Range=f"bytes={3 * MB}-").status == 416
    assert not (tmp_path / "root" / "blobs").exists()


def test_every_request_of_an_upload_may_go_to_another_replica(replicas: tuple[Worker, Worker]) -> None:
    one, two = (worker.client for worker in replicas)
    data = os.urandom(10 * MB)
    location = one("POST", "/v2/bakery/bread/blobs/uploads/").headers["location"]
    assert two("PATCH", location, data[: 9 * MB]).headers["range"] == f"0-{9 * MB - 1}"
    assert one("GET", location).headers["range"] == f"0-{9 * MB - 1}"
    late = one("PATCH", location, b"again", Content_Range="0-4", Content_Length="5")
    assert (late.status, late.headers["range"]) == (416, f"0-{9 * MB - 1}")
    assert one("PATCH", location, data[9 * MB :]).status == 202
    digest = Digest.of(data)
    for client in (two, one, two):  # the last request may be repeated, wherever
        assert client("PUT", f"{location}?digest={digest}").status == 201
    assert one("GET", f"/v2/bakery/bread/blobs/{digest}").body == data
    assert one("GET", location).status == 404


def test_a_wrong_digest_and_a_cancelled_upload_leave_nothing(replicas: tuple[Worker, Worker]) -> None:
    one, two = (worker.client for worker in replicas)
    location = one("POST", "/v2/bakery/pie/blobs/uploads/").headers["location"]
    two("PATCH", location, b"apple")
    wrong = one("PUT", f"{location}?digest={Digest.of(b'cherry')}")
    assert (wrong.status, wrong.code()) == (400, "DIGEST_INVALID")
    assert two("GET", location).status == 404
    location = one("POST", "/v2/bakery/pie/blobs/uploads/").headers["location"]
    two("PATCH", location, b"apple")
    assert two("DELETE", location).status == 204
    assert one("GET", location).status == 404


def test_a_blob_that_is_deleted_is_gone_everywhere_and_its_space_too(config: Config, tmp_path: Path) -> None:
    with registry_worker(tmp_path / "root", base=config, grace=0.0, pause=0.1) as one:
        digest = one.client.push_blob("bakery/tart", b"lemon")
        assert one.client("DELETE", f"/v2/bakery/tart/blobs/{digest}").status == 202
        assert one.client("GET", f"/v2/bakery/tart/blobs/{digest}").status == 404

        async def held() -> list[str]:
            return [name async for name, _ in one.service.blobs.listing()]

        for _ in range(100):
            if not one.run(held()):
                break
            time.sleep(0.05)
        assert one.run(held()) == []


def test_clients_are_sent_to_the_store_when_that_is_configured(config: Config, tmp_path: Path) -> None:
    data = os.urandom(2 * MB)
    sending = replace(config, blobs=replace(config.blobs, redirect=True))
    with registry_worker(tmp_path / "root", base=sending) as one:
        digest, small = (one.client.push_blob("bakery/cake", blob) for blob in (data, b"small"))
        path = f"/v2/bakery/cake/blobs/{digest}"
        answer = one.client("GET", path)
        assert (answer.status, answer.body) == (307, b"")
        assert one.client("HEAD", path).headers["content-length"] == str(len(data))
        request = urllib.request.Request(answer.headers["location"], headers={"Range": "bytes=5-9"})
        with urllib.request.urlopen(request, timeout=10) as part:
            assert (part.status, part.read()) == (206, data[5:10])
        assert one.client("GET", f"/v2/bakery/cake/blobs/{small}").body == b"small"
        assert one.client("GET", f"/v2/bakery/other/blobs/{digest}").status == 404  # a digest alone gives no address
