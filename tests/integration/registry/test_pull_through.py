"""The pull-through cache: what it fetches, when, and how often; what it serves meanwhile."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hardtack.registry.access import Action
from support.bad_registry import BadRegistry, cut, drop, ignore_range, send, sha256, stall, status
from support.debian_registry import debian_registry
from support.our_registry import Client
from support.published import publish, publish_index
from support.pull_through import PullThrough, caching, drip, pull_through, upstream_of
from support.registry_worker import GrantingGate, registry_worker

_LARGE = 12 << 20


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[PullThrough]:
    with pull_through(tmp_path / "root") as running:
        yield running


def _wait(condition: object, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.02)


def test_an_image_is_fetched_once_and_served_from_here_afterwards(cache: PullThrough) -> None:
    image = publish(cache.upstream, "team/app", "1", [b"one" * 1000])
    for _ in range(2):
        manifest = cache.client("GET", "/v2/hub/team/app/manifests/1")
        assert (manifest.status, manifest.headers["docker-content-digest"]) == (200, image.digest)
        assert sha256(manifest.body) == image.digest
        assert cache.client("GET", f"/v2/hub/team/app/manifests/{image.digest}").body == manifest.body
        for digest in (image.config, *image.layers):
            blob = cache.client("GET", f"/v2/hub/team/app/blobs/{digest}")
            assert (blob.status, sha256(blob.body)) == (200, digest)
            assert int(blob.headers["content-length"]) == len(blob.body)
    assert cache.fetched("/manifests/") == 1
    assert cache.fetched("/blobs/") == 2


def test_an_index_is_kept_before_its_images_and_they_follow_when_asked_for(cache: PullThrough) -> None:
    image = publish(cache.upstream, "app", "amd", [b"a"])
    index = publish_index(cache.upstream, "app", "both", {"amd64": image})
    assert cache.client("GET", "/v2/hub/app/manifests/both").headers["docker-content-digest"] == index
    assert cache.client("GET", f"/v2/hub/app/manifests/{image.digest}").status == 200
    assert cache.client("GET", f"/v2/hub/app/blobs/{image.layers[0]}").status == 200


def test_a_registry_of_ours_and_debians_can_be_cached(tmp_path: Path) -> None:
    with (
        registry_worker(tmp_path / "ours") as ours,
        debian_registry(tmp_path / "debian") as debian,
        caching(
            tmp_path / "root",
            upstream_of(f"http://{ours.host}", prefix="ours"),
            upstream_of(f"http://{debian}", prefix="debian"),
        ) as worker,
    ):
        for prefix, host in (("ours", ours.host), ("debian", debian)):
            digest = Client(host).push_image("team/app", "v1", [os.urandom(300_000)])
            found = worker.client("GET", f"/v2/{prefix}/team/app/manifests/v1")
            assert found.headers["docker-content-digest"] == digest
            layer = found.json()["layers"][0]["digest"]
            assert sha256(worker.client("GET", f"/v2/{prefix}/team/app/blobs/{layer}").body) == layer
            assert worker.client("GET", f"/v2/{prefix}/team/app/tags/list").json()["tags"] == ["v1"]
            assert worker.client("GET", f"/v2/{prefix}/team/app/referrers/{digest}").json()["manifests"] == []


def test_the_first_bytes_reach_the_client_before_the_upstream_has_sent_the_last(cache: PullThrough) -> None:
    data = os.urandom(_LARGE)
    image = _with_blob(cache.upstream, data)
    go_on = threading.Event()
    cache.upstream.fault(f"GET /v2/app/blobs/{image}", drip(1 << 20, go_on), times=1)
    connection = http.client.HTTPConnection(cache.worker.host, timeout=10)
    connection.request("GET", f"/v2/hub/app/blobs/{image}")
    response = connection.getresponse()
    assert response.read(500_000) == data[:500_000]
    go_on.set()
    assert response.read() == data[500_000:]
    connection.close()


def _with_blob(upstream: BadRegistry, data: bytes, name: str = "app", tag: str = "1") -> str:
    """An image with one layer of these bytes; returns the layer's digest."""
    config = b"{}"
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": upstream.add_blob(config),
            "size": len(config),
        },
        "layers": [
            {
                "mediaType": "application/vnd.oci.image.layer.v1.tar",
                "digest": upstream.add_blob(data),
                "size": len(data),
            }
        ],
    }
    upstream.add_manifest(name, tag, manifest)
    return sha256(data)


def _seen(cache: PullThrough, tag: str = "1") -> None:
    assert cache.client("GET", f"/v2/hub/app/manifests/{tag}").status == 200


def test_twenty_waiting_clients_cause_one_fetch(cache: PullThrough) -> None:
    data = os.urandom(_LARGE)
    layer = _with_blob(cache.upstream, data)
    go_on = threading.Event()
    cache.upstream.fault("/blobs/", drip(100_000, go_on), times=1)
    cache.upstream.fault("/manifests/", stall_then_answer(0.3), times=1)
    with ThreadPoolExecutor(20) as clients:
        manifests = list(clients.map(lambda _: cache.client("GET", "/v2/hub/app/manifests/1").status, range(20)))
        blobs = [clients.submit(cache.client, "GET", f"/v2/hub/app/blobs/{layer}") for _ in range(20)]
        time.sleep(0.3)
        go_on.set()
        assert manifests == [200] * 20
        assert all(blob.result().body == data for blob in blobs)
    assert cache.fetched(f"/blobs/{layer}") == 1
    assert cache.fetched("/manifests/1") == 1


def stall_then_answer(seconds: float):
    def fault(handler: object) -> bool:
        time.sleep(seconds)
        return False

    return fault


def test_a_late_client_reads_from_the_beginning_what_is_still_arriving(cache: PullThrough) -> None:
    data = os.urandom(_LARGE)
    layer = _with_blob(cache.upstream, data)
    _seen(cache)
    go_on = threading.Event()
    cache.upstream.fault("/blobs/", drip(_LARGE - 10, go_on), times=1)
    path = f"/v2/hub/app/blobs/{layer}"
    first, second = (http.client.HTTPConnection(cache.worker.host, timeout=10) for _ in range(2))
    first.request("GET", path)
    early = first.getresponse()
    start = early.read(_LARGE - 100)
    second.request("GET", path)
    late = second.getresponse()
    assert late.read(6 << 20) == data[: 6 << 20]  # out of the file: memory has the newest bytes only
    assert cache.client("GET", path, Range="bytes=100-199").body == data[100:200]
    go_on.set()
    assert start + early.read() == data
    assert late.read() == data[6 << 20 :]
    assert cache.fetched("/blobs/") == 1
    first.close()
    second.close()


def test_a_client_that_leaves_does_not_stop_the_fetch(cache: PullThrough) -> None:
    data = os.urandom(_LARGE)
    layer = _with_blob(cache.upstream, data)
    _seen(cache)
    go_on = threading.Event()
    cache.upstream.fault("/blobs/", drip(1 << 20, go_on), times=1)
    connection = http.client.HTTPConnection(cache.worker.host, timeout=10)
    connection.request("GET", f"/v2/hub/app/blobs/{layer}")
    connection.getresponse().read(1000)
    connection.close()
    go_on.set()
    _wait(lambda: _is_linked(cache, layer))
    cache.upstream.fault("/v2/", drop())
    assert cache.client("GET", f"/v2/hub/app/blobs/{layer}").body == data
    assert cache.fetched("/blobs/") == 1


def _is_linked(cache: PullThrough, digest: str, repository: str = "hub/app") -> bool:
    return cache.worker.run(cache.worker.service.metadata.blob_size(repository, digest)) is not None


def test_ranges_and_heads_of_what_is_not_here_yet(cache: PullThrough) -> None:
    data = os.urandom(300_000)
    layer = _with_blob(cache.upstream, data)
    _seen(cache)
    path = f"/v2/hub/app/blobs/{layer}"
    head = cache.client("HEAD", path)
    assert (head.status, head.headers["content-length"]) == (200, "300000")
    assert not cache.fetched("/blobs/")
    assert not cache.fetched("/blobs/", "HEAD")
    part = cache.client("GET", path, Range="bytes=100000-100099")
    assert (part.status, part.body) == (206, data[100_000:100_100])
    assert part.headers["content-range"] == "bytes 100000-100099/300000"
    assert cache.client("GET", path, Range="bytes=-50").body == data[-50:]
    assert cache.client("GET", path, Range="bytes=300000-").status == 416
    assert cache.client("GET", path, If_None_Match=f'"{layer}"').status == 304


def test_a_blob_that_no_cached_manifest_names_is_had_when_the_upstream_says_so(cache: PullThrough) -> None:
    layer = _with_blob(cache.upstream, b"alone")
    path = f"/v2/hub/app/blobs/{layer}"
    assert cache.client("HEAD", path).headers["content-length"] == "5"
    assert cache.client("GET", path).body == b"alone"
    assert cache.client("GET", f"/v2/hub/app/blobs/{sha256(b'none')}").code() in ("BLOB_UNKNOWN", "NAME_UNKNOWN")
    visibility = cache.worker.run(cache.worker.service.metadata.visibility("hub/app"))
    assert visibility == "public"


def test_a_blob_that_is_here_for_others_is_linked_only_where_the_upstream_has_it(tmp_path: Path) -> None:
    with pull_through(tmp_path / "root") as cache:
        secret = os.urandom(1000)
        digest = cache.client.push_blob("own/secret", secret)
        assert cache.client("GET", f"/v2/hub/app/blobs/{digest}").status == 404
        assert cache.client("HEAD", f"/v2/hub/app/blobs/{digest}").status == 404
        _with_blob(cache.upstream, secret)
        _seen(cache)
        before = cache.fetched("/blobs/")
        assert cache.client("GET", f"/v2/hub/app/blobs/{digest}").body == secret
        assert cache.fetched("/blobs/") == before
        assert _is_linked(cache, digest)


def test_a_manifest_of_an_upstream_that_names_a_blob_of_others_gives_no_access_to_it(tmp_path: Path) -> None:
    """Whoever may push there can write down a digest without having the bytes, as that of a foreign layer."""
    with pull_through(tmp_path / "root") as cache:
        secret = os.urandom(1000)
        digest = cache.client.push_blob("own/secret", secret)
        image = publish(cache.upstream, "eve/app", "1", [b"own"])
        kind = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
        foreign = {"mediaType": kind, "digest": digest, "size": 1000, "urls": ["https://example.org/layer"]}
        image.manifest["layers"].append(foreign)
        cache.upstream.add_manifest("eve/app", "2", image.manifest)
        assert cache.client("GET", "/v2/hub/eve/app/manifests/2").status == 200
        assert cache.client("GET", f"/v2/hub/eve/app/blobs/{digest}").status == 404
        assert not _is_linked(cache, digest, "hub/eve/app")


def test_a_cut_upstream_is_gone_on_with_where_it_stopped(cache: PullThrough) -> None:
    data = os.urandom(3_000_000)
    layer = _with_blob(cache.upstream, data)
    _seen(cache)
    cache.upstream.fault("/blobs/", cut(1_000_000), times=2)
    assert cache.client("GET", f"/v2/hub/app/blobs/{layer}").body == data
    ranges = [seen.headers.get("Range") for seen in cache.upstream.seen if "/blobs/" in seen.path]
    assert ranges[0] is None
    assert len(ranges) == 3
    assert all(one is not None for one in ranges[1:])
    assert _is_linked(cache, layer)


def test_an_upstream_that_knows_no_ranges_is_read_again_from_the_beginning(cache: PullThrough) -> None:
    data = os.urandom(2_000_000)
    layer = _with_blob(cache.upstream, data)
    _seen(cache)
    cache.upstream.fault("/blobs/", cut(500_000), times=1)
    cache.upstream.fault("/blobs/", ignore_range(), times=1)
    assert cache.client("GET", f"/v2/hub/app/blobs/{layer}").body == data


@pytest.mark.parametrize("kept", [True, False])
def test_other_bytes_than_those_of_the_digest_are_never_complete_and_never_kept(tmp_path: Path, kept: bool) -> None:
    with (
        BadRegistry() as upstream,
        caching(tmp_path / "root", upstream_of(upstream), read_only=not kept) as worker,
    ):
        data = os.urandom(500_000)
        layer = _with_blob(upstream, data)
        upstream.fault("GET /v2/app/blobs/", send(data[:-1] + bytes([data[-1] ^ 1])), times=1)
        assert worker.client("GET", "/v2/hub/app/manifests/1").status == 200
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            worker.client("GET", f"/v2/hub/app/blobs/{layer}")
        assert worker.run(worker.service.metadata.blob_size("hub/app", layer)) is None
        assert not os.listdir(tmp_path / "root" / "uploads")
        assert worker.client("GET", f"/v2/hub/app/blobs/{layer}").body == data


@pytest.mark.parametrize("fault", [send(b"x" * 200), cut(0), drop(), status(500), stall(3, 50)])
def test_a_blob_that_cannot_be_had_is_an_error_before_the_first_byte_or_a_cut(tmp_path: Path, fault: object) -> None:
    with pull_through(tmp_path / "root", stall=0.3, timeout=0.5) as cache:
        layer = _with_blob(cache.upstream, os.urandom(100))
        _seen(cache)
        cache.upstream.fault("GET /v2/app/blobs/", fault)  # type: ignore[arg-type]
        try:
            answer = cache.client("GET", f"/v2/hub/app/blobs/{layer}")
        except (http.client.IncompleteRead, ConnectionError):
            pass
        else:
            assert answer.status == 502
            assert answer.code() == "UNAVAILABLE"
        assert not _is_linked(cache, layer)


def test_what_is_asked_for_and_whose_rights_decide(tmp_path: Path) -> None:
    gate = GrantingGate({"": [], "reader": [("hub/team/**", {Action.PULL})]})
    with (
        BadRegistry() as upstream,
        caching(tmp_path / "root", upstream_of(upstream, visibility="private"), gate=gate) as worker,
    ):
        for name in ("team/app", "other/app"):
            publish(upstream, name, "1", [b"x"])
        for name, headers in (("team/app", {}), ("other/app", {"Authorization": "reader"})):
            assert worker.client("GET", f"/v2/hub/{name}/manifests/1", **headers).status in (401, 403)
            assert worker.client("GET", f"/v2/hub/{name}/tags/list", **headers).status in (401, 403)
        assert not upstream.seen
        assert worker.client("GET", "/v2/hub/team/app/manifests/1", Authorization="reader").status == 200
        assert worker.client("GET", "/v2/hub/team/app/manifests/1").status == 401  # private here, now that it exists
        assert worker.client("GET", "/v2/team/app/manifests/1?ns=" + upstream.host).status == 401


def test_what_is_public_is_fetched_for_everybody_from_the_first_time_on(tmp_path: Path) -> None:
    with (
        BadRegistry() as upstream,
        caching(tmp_path / "root", upstream_of(upstream, visibility="public"), gate=GrantingGate({"": []})) as worker,
    ):
        image = publish(upstream, "app", "1", [b"x"])
        for _ in range(2):
            assert worker.client("GET", "/v2/hub/app/manifests/1").status == 200
            assert worker.client("GET", f"/v2/hub/app/blobs/{image.layers[0]}").status == 200
        assert worker.client("GET", "/v2/own/app/manifests/1").status == 401
        assert worker.client("POST", "/v2/hub/app/blobs/uploads/").status == 401


def test_nobody_pushes_to_an_upstreams_repository_but_what_is_cached_can_be_deleted(cache: PullThrough) -> None:
    image = publish(cache.upstream, "app", "1", [b"x"])
    _seen(cache)
    for method, path in (
        ("POST", "/v2/hub/app/blobs/uploads/"),
        ("POST", f"/v2/hub/new/blobs/uploads/?mount={image.config}&from=hub/app"),
        ("PUT", "/v2/hub/app/manifests/2"),
    ):
        answer = cache.client(method, path, b"{}", Content_Type="application/json")
        assert (answer.status, answer.code()) == (403, "DENIED")
        assert cache.upstream.host in answer.json()["errors"][0]["message"]
    assert cache.client("DELETE", f"/v2/hub/app/manifests/{image.digest}").status == 202
    assert cache.client("GET", "/v2/hub/app/manifests/1").status == 200
    assert cache.fetched("/manifests/1") == 2


def test_a_repository_that_was_ours_before_stays_ours(tmp_path: Path) -> None:
    with registry_worker(tmp_path / "root") as before:
        digest = before.client.push_image("hub/mine", "1")
    with BadRegistry() as upstream, caching(tmp_path / "root", upstream_of(upstream, prefix="")) as worker:
        publish(upstream, "hub/mine", "1", [b"not this"])
        assert worker.client("GET", "/v2/hub/mine/manifests/1").headers["docker-content-digest"] == digest
        assert worker.client("GET", "/v2/hub/mine/tags/list").json()["tags"] == ["1"]
        worker.client.push_image("hub/mine", "2")
        assert not upstream.seen


def test_nobody_puts_a_repository_of_theirs_in_the_place_of_an_upstream_s(tmp_path: Path) -> None:
    with registry_worker(tmp_path / "root") as before:
        before.client.push_image("own/app", "1")
    with BadRegistry() as upstream, caching(tmp_path / "root", upstream_of(upstream, prefix="")) as worker:
        made = worker.client("POST", "/api/v1/repositories", b'{"name": "bitnami/redis"}')
        moved = worker.client("POST", "/api/v1/repositories/own/app/-/rename", b'{"name": "bitnami/redis"}')
        for answer in (made, moved):
            assert (answer.status, answer.code()) == (403, "DENIED")
            assert upstream.host in answer.json()["errors"][0]["message"]


def test_a_mirror_is_asked_by_ns_or_catches_every_name(tmp_path: Path) -> None:
    with BadRegistry() as hub, BadRegistry() as quay:
        one = publish(hub, "library/nginx", "1", [b"hub"])
        other = publish(quay, "library/nginx", "1", [b"quay"])
        with caching(
            tmp_path / "root",
            upstream_of(hub, ns=("docker.io",)),
            upstream_of(quay, prefix=""),
        ) as worker:

            def digest(path: str) -> str:
                return worker.client("GET", path).headers.get("docker-content-digest", "")

            assert digest("/v2/library/nginx/manifests/1?ns=docker.io") == one.digest
            assert digest("/v2/hub/library/nginx/manifests/1") == one.digest
            assert digest("/v2/hub/library/nginx/manifests/1?ns=docker.io") == one.digest
            assert digest("/v2/library/nginx/manifests/1") == other.digest
            assert digest(f"/v2/library/nginx/manifests/1?ns={quay.host}") == other.digest
            blob = worker.client("GET", f"/v2/library/nginx/blobs/{one.layers[0]}?ns=docker.io")
            assert sha256(blob.body) == one.layers[0]
            assert worker.client("GET", "/v2/library/nginx/manifests/1?ns=ghcr.io").status == 404
            assert worker.client("GET", "/v2/library/nginx/manifests/1?ns=docker.io" + "&a=1" * 300).status == 404
            assert json.loads(worker.client("GET", "/v2/_catalog").body)["repositories"] == [
                "hub/library/nginx",
                "library/nginx",
            ]


def test_only_what_is_configured_is_fetched(tmp_path: Path) -> None:
    with pull_through(tmp_path / "root", repositories=("library/*",)) as cache:
        publish(cache.upstream, "library/app", "1", [b"x"])
        publish(cache.upstream, "other/app", "1", [b"x"])
        assert cache.client("GET", "/v2/hub/library/app/manifests/1").status == 200
        assert cache.client("GET", "/v2/hub/other/app/manifests/1").status == 404
        assert not cache.fetched("other/app")
