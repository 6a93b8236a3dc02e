"""Tags through the cache: when they are compared, what is served when they cannot be, what is believed to be gone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardtack.oci.mediatypes import OCI_INDEX, OCI_MANIFEST
from support.bad_registry import BadRegistry, Fault, drop, send, sha256, stall, status
from support.published import Published, publish
from support.pull_through import PullThrough, caching, pull_through, upstream_of


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[PullThrough]:
    with pull_through(tmp_path / "root") as running:
        yield running


def _digest(cache: PullThrough, reference: str = "1", name: str = "app") -> str:
    answer = cache.client("GET", f"/v2/hub/{name}/manifests/{reference}")
    assert answer.status == 200, answer
    return answer.headers["docker-content-digest"]


def test_an_old_tag_is_compared_by_head_and_fetched_only_when_it_has_changed(cache: PullThrough) -> None:
    first = publish(cache.upstream, "app", "1", [b"first"])
    for _ in range(3):
        assert _digest(cache) == first.digest
    assert (cache.fetched("/manifests/"), cache.fetched("/manifests/1", "HEAD")) == (1, 2)
    second = publish(cache.upstream, "app", "1", [b"second"])
    assert _digest(cache) == second.digest
    assert (cache.fetched("/manifests/"), cache.fetched("/manifests/1", "HEAD")) == (2, 3)
    assert _digest(cache, first.digest) == first.digest
    history = cache.worker.run(cache.worker.service.metadata.tag_history("hub/app", "1"))
    assert [event.digest for event in history] == [second.digest, first.digest]


def test_a_tag_that_went_back_to_what_is_held_is_moved_without_a_fetch(cache: PullThrough) -> None:
    first = publish(cache.upstream, "app", "1", [b"first"])
    _digest(cache)
    publish(cache.upstream, "app", "1", [b"second"])
    _digest(cache)
    publish(cache.upstream, "app", "1", [b"first"])
    assert _digest(cache) == first.digest
    assert cache.fetched("/manifests/") == 2


def test_an_upstream_that_does_not_say_its_digests_is_compared_by_fetching(cache: PullThrough) -> None:
    cache.upstream.claims_digest = False
    publish(cache.upstream, "app", "1", [b"first"])
    _digest(cache)
    second = publish(cache.upstream, "app", "1", [b"second"])
    assert _digest(cache) == second.digest


def test_a_fresh_tag_is_not_compared_in_either_lane(tmp_path: Path) -> None:
    with pull_through(tmp_path / "root", fresh=0.6) as cache:
        image = publish(cache.upstream, "app", "1", [b"x"])
        for _ in range(5):
            assert _digest(cache) == image.digest
        assert cache.client("HEAD", "/v2/hub/app/manifests/1", Accept="*/*").status == 200
        assert len(cache.upstream.seen) == 1
        newer = publish(cache.upstream, "app", "1", [b"y"])
        time.sleep(0.7)
        assert _digest(cache) == newer.digest


def test_a_tag_that_never_changes_is_asked_for_once(tmp_path: Path) -> None:
    with pull_through(tmp_path / "root", immutable=("v*", "!v-next")) as cache:
        for tag in ("v1", "v-next"):
            publish(cache.upstream, "app", tag, [b"x"])
            for _ in range(3):
                _digest(cache, tag)
        assert cache.fetched("/manifests/v1", "") == 1
        assert cache.fetched("/manifests/v-next", "") == 3


@pytest.mark.parametrize(
    "fault",
    [drop(), status(500), status(503), status(429), status(401), status(403), stall(2), status(302)],
    ids=["drop", "500", "503", "429", "401", "403", "stall", "nowhere"],
)
def test_what_is_held_is_served_when_the_upstream_cannot_be_asked(tmp_path: Path, fault: Fault) -> None:
    with pull_through(tmp_path / "root", timeout=0.4, stall=0.4) as cache:
        image = publish(cache.upstream, "app", "1", [b"x"])
        assert _digest(cache) == image.digest
        cache.upstream.fault("/v2/", fault)
        for _ in range(3):
            answer = cache.client("GET", "/v2/hub/app/manifests/1")
            assert (answer.status, answer.headers["docker-content-digest"]) == (200, image.digest)
            assert answer.headers["warning"].startswith("110 ")
        assert cache.client("GET", "/v2/hub/app/tags/list").json()["tags"] == ["1"]
        assert cache.client("GET", f"/v2/hub/app/referrers/{image.digest}").status == 200


def test_an_upstream_that_does_not_answer_is_left_alone_for_a_moment(tmp_path: Path) -> None:
    with pull_through(tmp_path / "root", timeout=0.4, stall=0.4) as cache:
        publish(cache.upstream, "app", "1", [b"x"])
        _digest(cache)
        cache.upstream.fault("/v2/", stall(2), times=1)
        _digest(cache)
        asked, began = len(cache.upstream.seen), time.monotonic()
        for _ in range(5):
            _digest(cache)
        assert time.monotonic() - began < 0.3
        assert len(cache.upstream.seen) == asked


def test_a_stopped_upstream_is_served_and_asked_again_when_it_is_back(tmp_path: Path) -> None:
    with BadRegistry() as upstream:
        port = upstream.port
        image = publish(upstream, "app", "1", [b"x"])
        with caching(tmp_path / "root", upstream_of(upstream)) as worker:
            assert worker.client("GET", "/v2/hub/app/manifests/1").status == 200
    with caching(tmp_path / "root", upstream_of(f"http://127.0.0.1:{port}")) as worker:
        answer = worker.client("GET", "/v2/hub/app/manifests/1")
        assert (answer.status, answer.headers["docker-content-digest"]) == (200, image.digest)
        missing = worker.client("GET", "/v2/hub/app/manifests/2")
        assert (missing.status, missing.code()) == (502, "UNAVAILABLE")


def test_a_tag_that_the_upstream_has_no_more_goes_and_its_manifest_stays(cache: PullThrough) -> None:
    image = publish(cache.upstream, "app", "1", [b"x"])
    _digest(cache)
    del cache.upstream.manifests["app:1"]
    for _ in range(2):
        assert cache.client("GET", "/v2/hub/app/manifests/1").code() == "MANIFEST_UNKNOWN"
    assert _digest(cache, image.digest) == image.digest


def test_what_is_missing_is_believed_to_be_missing_for_a_while(tmp_path: Path) -> None:
    with pull_through(tmp_path / "root", missing=0.8) as cache:
        for reference in ("none", sha256(b"none")):
            for _ in range(3):
                assert cache.client("GET", f"/v2/hub/app/manifests/{reference}").status == 404
            assert cache.fetched(f"/manifests/{reference}", "") == 1
            for _ in range(3):
                assert cache.client("GET", f"/v2/hub/app/blobs/{sha256(b'none')}").status == 404
        assert cache.fetched("/blobs/", "") == 1
        image = publish(cache.upstream, "app", "none", [b"x"])
        time.sleep(0.9)
        assert _digest(cache, "none") == image.digest


def test_too_many_requests_reach_the_client_with_when_to_try_again(cache: PullThrough) -> None:
    publish(cache.upstream, "app", "1", [b"x"])
    publish(cache.upstream, "app", "2", [b"y"])
    _digest(cache)
    cache.upstream.fault("GET /v2/app/manifests/2", status(429, {"Retry-After": "120"}))
    for _ in range(3):
        answer = cache.client("GET", "/v2/hub/app/manifests/2")
        assert (answer.status, answer.code()) == (429, "TOOMANYREQUESTS")
        assert 100 < int(answer.headers["retry-after"]) <= 120
    assert cache.fetched("/manifests/2", "") == 1
    assert _digest(cache) == cache.client("HEAD", "/v2/hub/app/manifests/1").headers["docker-content-digest"]
    assert cache.fetched("/manifests/1", "HEAD") == 2  # those do not count


def test_an_allowance_that_is_used_up_is_not_overdrawn(cache: PullThrough) -> None:
    image = publish(cache.upstream, "app", "1", [b"x"])
    raw, kind = cache.upstream.manifests["app:1"]
    cache.upstream.fault(
        "GET /v2/app/manifests/1", send(raw, {"Content-Type": kind, "ratelimit-remaining": "0;w=21600"})
    )
    assert _digest(cache) == image.digest
    publish(cache.upstream, "app", "2", [b"y"])
    assert cache.client("GET", "/v2/hub/app/manifests/2").status == 429
    assert not cache.fetched("/manifests/2", "")
    assert _digest(cache) == image.digest


@pytest.mark.parametrize(
    ("raw", "headers"),
    [
        (b"{}", {"Content-Type": OCI_MANIFEST}),
        (b"<html>", {"Content-Type": "text/html"}),
        (json.dumps({"schemaVersion": 1, "fsLayers": []}).encode(), {}),
        (json.dumps({"schemaVersion": 2, "config": {}, "layers": [], "manifests": []}).encode(), {}),
        (b"x" * (5 << 20), {"Content-Type": OCI_MANIFEST}),
    ],
)
def test_what_is_no_manifest_is_neither_kept_nor_served(
    cache: PullThrough, raw: bytes, headers: dict[str, str]
) -> None:
    cache.upstream.fault("GET /v2/app/manifests/1", send(raw, headers))
    answer = cache.client("GET", "/v2/hub/app/manifests/1")
    assert (answer.status, answer.code()) == (502, "UNAVAILABLE")
    assert not cache.worker.run(cache.worker.service.metadata.has_repository("hub/app"))


def test_another_manifest_than_the_one_named_is_refused(cache: PullThrough) -> None:
    image = publish(cache.upstream, "app", "1", [b"x"])
    raw, kind = cache.upstream.manifests["app:1"]
    cache.upstream.fault("GET /v2/app/manifests/", send(raw + b" ", {"Content-Type": kind}))
    assert cache.client("GET", f"/v2/hub/app/manifests/{image.digest}").status == 502
    lying = {"Content-Type": kind, "Docker-Content-Digest": sha256(b"other")}
    cache.upstream.fault("GET /v2/b/manifests/1", send(raw, lying))
    assert cache.client("GET", "/v2/hub/b/manifests/1").status == 502


def test_tags_are_listed_as_the_upstream_has_them(cache: PullThrough) -> None:
    for tag in ("b", "a", "c", "B"):
        publish(cache.upstream, "app", tag, [b"x"])
    _digest(cache, "b")
    assert cache.client("GET", "/v2/hub/app/tags/list").json() == {"name": "hub/app", "tags": ["B", "a", "b", "c"]}
    page = cache.client("GET", "/v2/hub/app/tags/list?n=2&last=B")
    assert page.json()["tags"] == ["a", "b"]
    assert page.headers["link"] == '</v2/hub/app/tags/list?n=2&last=b>; rel="next"'
    assert cache.client("GET", "/v2/hub/none/tags/list").code() == "NAME_UNKNOWN"


def test_pages_of_tags_are_followed_however_the_upstream_turns_them(cache: PullThrough) -> None:
    def page(tags: list[str], link: str = "") -> Fault:
        return send(json.dumps({"tags": tags}).encode(), {"Link": f'<{link}>; rel="next"'} if link else {})

    cache.upstream.fault("page=3", page(["c", "not a tag", "a"]))
    cache.upstream.fault("cursor=2", page(["b"], f"{cache.upstream.url}/v2/app/tags/list?page=3"))
    cache.upstream.fault("/app/tags/list?n=1000", page(["a"], "/v2/app/tags/list?cursor=2"))
    assert cache.client("GET", "/v2/hub/app/tags/list").json()["tags"] == ["a", "b", "c"]
    cache.upstream.fault("/evil/tags/list", page(["a"], "/v2/secret/tags/list?n=1"))
    assert cache.client("GET", "/v2/hub/evil/tags/list").status == 502
    assert not cache.fetched("/secret/")


def test_referrers_are_listed_as_the_upstream_has_them(cache: PullThrough) -> None:
    image = publish(cache.upstream, "app", "1", [b"x"])
    entries = [
        {"mediaType": OCI_MANIFEST, "digest": sha256(kind.encode()), "size": 3, "artifactType": kind, "annotations": {}}
        for kind in ("text/a", "text/b")
    ]
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    cache.upstream.fault(f"/referrers/{image.digest}", send(index, {"Content-Type": OCI_INDEX}))
    found = cache.client("GET", f"/v2/hub/app/referrers/{image.digest}").json()["manifests"]
    assert {one["artifactType"] for one in found} == {"text/a", "text/b"}
    filtered = cache.client("GET", f"/v2/hub/app/referrers/{image.digest}?artifactType=text/b")
    assert [one["artifactType"] for one in filtered.json()["manifests"]] == ["text/b"]
    assert filtered.headers["oci-filters-applied"] == "artifactType"


def test_referrers_of_an_older_upstream_are_found_under_their_tag(cache: PullThrough) -> None:
    image = publish(cache.upstream, "app", "1", [b"x"])
    entry = {"mediaType": OCI_MANIFEST, "digest": sha256(b"s"), "size": 1, "artifactType": "text/s"}
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}
    cache.upstream.add_manifest("app", image.digest.replace(":", "-"), index, OCI_INDEX)
    found = cache.client("GET", f"/v2/hub/app/referrers/{image.digest}").json()["manifests"]
    assert [one["artifactType"] for one in found] == ["text/s"]
    other: Published = publish(cache.upstream, "app", "2", [b"y"])
    assert cache.client("GET", f"/v2/hub/app/referrers/{other.digest}").json()["manifests"] == []
