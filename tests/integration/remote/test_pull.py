"""Pulls: what is fetched and what is not, what is kept when something breaks, what a liar gets."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from hardtack.image.find import find
from hardtack.image.pull import NEW, SAME, Pulled, PullFailed, pull, pull_all_tags
from hardtack.oci.errors import NoMatchingPlatform
from hardtack.oci.platform import Platform
from hardtack.oci.reference import Reference
from hardtack.progress import Progress
from hardtack.remote.client import RegistryClient
from hardtack.remote.errors import BadAnswer, DigestLie, NotFound, SchemaOne, Stalled, Truncated
from hardtack.remote.plan import LayersDoNotFit, NotAnImage
from hardtack.store.collect import collect
from hardtack.store.content import origins
from hardtack.store.layer import LayerStore
from hardtack.store.root import Root
from support.bad_registry import (
    BadRegistry,
    Handler,
    chunked,
    cut,
    drop,
    endless,
    ignore_range,
    redirect,
    send,
    stall,
    status,
)
from support.clients import client_of, quick_config
from support.published import Published, publish, publish_index
from support.tars import files_tar

SMALL = files_tar({"etc/motd": b"hello\n"})


def noise(size: int) -> bytes:
    """A layer that does not compress, so that its blob is as large."""
    return files_tar({"noise": os.urandom(size)})


class Lines(Progress):
    """What a pipe would see."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def begin(self, item: str, label: str, total: int | None = None) -> None:
        self.lines.append(f"{item[7:19]}: {label}")

    def finish(self, item: str, label: str) -> None:
        self.lines.append(f"{item[7:19]}: {label}")

    def say(self, line: str) -> None:
        self.lines.append(line)


def fetch(root: Root, registry: BadRegistry, name: str = "a/b:1", **more: Any) -> Pulled:
    client: RegistryClient = more.pop("client", None) or client_of(registry.host)
    return pull(root, Reference.parse(f"{registry.host}/{name}"), client=client, **more)


def test_nothing_is_said_to_be_pulled_before_the_registry_knows_it(root: Root, registry: BadRegistry) -> None:
    publish(registry, "a/b", "1", [SMALL])
    for name, words in (
        ("a/b:2", f"manifest for {registry.host}/a/b:2 not found: manifest unknown"),
        (f"a/b@sha256:{'0' * 64}", f"manifest for {registry.host}/a/b@sha256:{'0' * 64} not found: manifest unknown"),
        ("c/d:1", f"repository {registry.host}/c/d not found: name unknown"),
    ):
        lines = Lines()
        with pytest.raises(PullFailed) as caught:
            fetch(root, registry, name, progress=lines)
        assert str(caught.value).endswith(f": {words}. Check the name and the tag.")
        assert lines.lines == []
    fetch(root, registry)
    lines = Lines()
    del registry.manifests["a/b:1"]
    with pytest.raises(PullFailed, match=r"manifest for .*/a/b:1 not found: manifest unknown"):
        fetch(root, registry, progress=lines)
    assert lines.lines == []
    with pytest.raises(PullFailed, match=r"repository .*/c/d not found: name unknown"):
        pull_all_tags(root, Reference.parse(f"{registry.host}/c/d"), client=client_of(registry.host))


def blob_gets(registry: BadRegistry) -> list[str]:
    return registry.paths("GET", "/blobs/")


def test_an_image_arrives_whole_and_under_its_name(root: Root, registry: BadRegistry) -> None:
    image = publish(registry, "a/b", "1", [SMALL, noise(100_000)])
    lines = Lines()
    pulled = fetch(root, registry, progress=lines)
    assert (pulled.digest, pulled.image_id, pulled.status) == (image.digest, image.config, NEW)
    found = find(root, f"{registry.host}/a/b:1")
    assert found.id == image.config
    layers = LayerStore(root)
    assert all(layers.has(diff_id) for diff_id in found.config.diff_ids)
    for digest in (image.digest, image.config, *image.layers):
        assert root.blobs.size(digest) is not None
        assert origins(root.db, digest) == [f"{registry.host}/a/b"]
    name = f"{registry.host}/a/b:1"
    assert lines.lines[0] == "1: Pulling from a/b"
    assert lines.lines[-2:] == [f"Digest: {image.digest}", f"Status: Downloaded newer image for {name}"]
    for layer in image.layers:
        assert f"{layer[7:19]}: Pulling fs layer" in lines.lines
        assert f"{layer[7:19]}: Pull complete" in lines.lines


def test_pulling_again_asks_one_question_and_fetches_nothing(root: Root, registry: BadRegistry) -> None:
    publish(registry, "a/b", "1", [SMALL])
    fetch(root, registry)
    registry.seen.clear()
    lines = Lines()
    assert fetch(root, registry, progress=lines).status == SAME
    assert [(seen.method, seen.path) for seen in registry.seen] == [("GET", "/v2/"), ("HEAD", "/v2/a/b/manifests/1")]
    assert lines.lines[-1].startswith("Status: Image is up to date for")


def test_a_tag_that_moved_brings_only_what_is_new(root: Root, registry: BadRegistry) -> None:
    old = publish(registry, "a/b", "1", [SMALL])
    fetch(root, registry)
    new = publish(registry, "a/b", "1", [SMALL, noise(1000)])
    registry.seen.clear()
    lines = Lines()
    pulled = fetch(root, registry, progress=lines)
    assert (pulled.digest, pulled.status) == (new.digest, NEW)
    assert f"{old.layers[0][7:19]}: Already exists" in lines.lines
    assert not any(old.layers[0] in path for path in blob_gets(registry))


def test_a_digest_is_pulled_without_a_tag(root: Root, registry: BadRegistry) -> None:
    image = publish(registry, "a/b", "1", [SMALL])
    pulled = fetch(root, registry, f"a/b@{image.digest}")
    assert str(pulled.reference) == f"{registry.host}/a/b@{image.digest}"
    assert find(root, str(pulled.reference)).id == image.config


def test_every_tag_can_be_pulled_at_once(root: Root, registry: BadRegistry) -> None:
    for tag in ("1", "2"):
        publish(registry, "a/b", tag, [SMALL, files_tar({"tag": tag.encode()})])
    lines = Lines()
    name = Reference.parse(f"{registry.host}/a/b")
    found = pull_all_tags(root, name, progress=lines, client=client_of(registry.host))
    assert [pulled.reference.tag for pulled in found] == ["1", "2"]
    assert lines.lines[-1] == f"Status: Downloaded newer image for {name}"


def test_the_platform_decides_which_image_of_an_index_comes(root: Root, registry: BadRegistry) -> None:
    images = {
        architecture: publish(registry, "a/b", architecture, [files_tar({"arch": architecture.encode()})], architecture)
        for architecture in ("amd64", "arm64")
    }
    digest = publish_index(registry, "a/b", "1", images)
    pulled = fetch(root, registry, platform=Platform.parse("linux/arm64"))
    assert (pulled.digest, pulled.image_id) == (digest, images["arm64"].config)
    assert root.blobs.size(images["amd64"].digest) is None
    with pytest.raises(PullFailed) as caught:
        fetch(root, registry, platform=Platform.parse("linux/s390x"))
    assert isinstance(caught.value.cause, NoMatchingPlatform)
    with pytest.raises(PullFailed) as caught:
        fetch(root, registry, "a/b:amd64", platform=Platform.parse("linux/arm64"))
    assert "no matching manifest for linux/arm64" in str(caught.value)
    assert "offers linux/amd64. Choose one of them" in str(caught.value)


def test_a_layer_that_another_image_brought_is_not_fetched_even_in_another_compression(
    root: Root, registry: BadRegistry
) -> None:
    tar = files_tar({"x": b"x" * 10_000})
    publish(registry, "a/b", "1", [tar])
    other = publish(registry, "c", "1", [tar], level=9)
    fetch(root, registry)
    registry.seen.clear()
    fetch(root, registry, "c:1")
    assert other.layers[0] not in str(blob_gets(registry))


def test_a_layer_used_twice_is_fetched_once(root: Root, registry: BadRegistry) -> None:
    image = publish(registry, "a/b", "1", [SMALL, noise(10), SMALL])
    fetch(root, registry)
    assert len([path for path in blob_gets(registry) if image.layers[0] in path]) == 1


def test_a_blob_that_is_held_but_not_mountable_is_not_fetched_again(root: Root, registry: BadRegistry) -> None:
    image = publish(registry, "a/b", "1", [SMALL])
    data = registry.blobs[image.layers[0]]
    with root.blobs.ingest(image.layers[0], len(data)) as ingest:
        ingest.write(data)
        ingest.commit()
    fetch(root, registry)
    assert image.layers[0] not in str(blob_gets(registry))
    assert LayerStore(root).has(image.diff_ids[0])


# --- cuts, and what is continued ------------------------------------------------------------------------------------


def test_a_cut_download_resumes_where_it_stopped(root: Root, registry: BadRegistry) -> None:
    image = publish(registry, "a/b", "1", [noise(300_000)])
    registry.fault(image.layers[0], cut(100_000), times=1)
    fetch(root, registry)
    asked = [seen.headers.get("Range") for seen in registry.seen if image.layers[0] in seen.path]
    assert asked == [None, "bytes=100000-"]


def test_what_arrived_before_a_failure_is_kept_for_the_next_pull(root: Root, registry: BadRegistry) -> None:
    image = publish(registry, "a/b", "1", [noise(400_000)])
    size = len(registry.blobs[image.layers[0]])
    registry.fault(image.layers[0], cut(1024), times=1)
    registry.fault(image.layers[0], drop(), times=20)
    with pytest.raises(PullFailed) as caught:
        fetch(root, registry)
    assert isinstance(caught.value.cause, Truncated) or "closed before an answer" in str(caught.value)
    assert str(caught.value).startswith(f"cannot pull {registry.host}/a/b:1: ")
    registry._faults.clear()
    registry.seen.clear()
    fetch(root, registry)
    asked = [seen.headers.get("Range") for seen in registry.seen if image.layers[0] in seen.path]
    assert asked == ["bytes=1024-"]
    assert root.blobs.size(image.layers[0]) == size


def test_a_cut_that_lasts_is_told_in_bytes(root: Root, registry: BadRegistry) -> None:
    image = publish(registry, "a/b", "1", [noise(4096)])
    size = len(registry.blobs[image.layers[0]])
    registry.fault(image.layers[0], cut(1024), times=1)
    registry.fault(image.layers[0], cut(0))
    with pytest.raises(PullFailed) as caught:
        fetch(root, registry)
    short = image.layers[0][:19]
    assert str(caught.value) == (
        f"cannot pull {registry.host}/a/b:1: the registry sent 1,024 of {size:,} bytes of layer {short}… and closed; "
        "what arrived is kept. Run the command again to continue."
    )


def test_a_server_that_ignores_ranges_is_read_past_what_is_held(root: Root, registry: BadRegistry) -> None:
    image = publish(registry, "a/b", "1", [noise(200_000)])
    registry.fault(image.layers[0], cut(150_000), times=1)
    registry.fault(image.layers[0], ignore_range())
    fetch(root, registry)
    assert root.blobs.size(image.layers[0]) == len(registry.blobs[image.layers[0]])


def test_a_range_that_the_server_refuses_begins_anew_and_not_for_ever(root: Root, registry: BadRegistry) -> None:
    image = publish(registry, "a/b", "1", [noise(200_000)])
    registry.fault(image.layers[0], cut(150_000), times=1)
    registry.fault(image.layers[0], status(416), times=1)
    fetch(root, registry)
    other = publish(registry, "c", "1", [noise(200_000)])
    for _ in range(9):
        registry.fault(other.layers[0], cut(150_000), times=1)
        registry.fault(other.layers[0], status(416), times=1)
    with pytest.raises(PullFailed) as caught:
        fetch(root, registry, "c:1")
    assert isinstance(caught.value.cause, BadAnswer)


def test_a_rotten_partial_blob_is_thrown_away_and_fetched_anew(root: Root, registry: BadRegistry) -> None:
    image = publish(registry, "a/b", "1", [noise(200_000)])
    size = len(registry.blobs[image.layers[0]])
    with root.blobs.ingest(image.layers[0], size) as ingest:
        ingest.write(b"rotten" * 1000)
    fetch(root, registry)
    assert root.blobs.size(image.layers[0]) == size
    assert LayerStore(root).has(image.diff_ids[0])


def test_a_stalled_download_is_continued_on_another_connection(root: Root, registry: BadRegistry) -> None:
    image = publish(registry, "a/b", "1", [noise(200_000)])
    registry.fault(image.layers[0], stall(3, after=100_000), times=1)
    fetch(root, registry)
    asked = [seen.headers.get("Range") for seen in registry.seen if image.layers[0] in seen.path]
    assert asked == [None, "bytes=100000-"]


@pytest.mark.parametrize("fault", [status(500), status(503), status(429, {"Retry-After": "0"}), drop()])
def test_failures_that_pass_do_not_fail_a_pull(root: Root, registry: BadRegistry, fault: Any) -> None:
    publish(registry, "a/b", "1", [noise(1000)])
    registry.fault("/v2/", fault, times=2)
    registry.fault("/manifests/", fault, times=2)
    registry.fault("/blobs/", fault, times=3)
    fetch(root, registry)


# --- lies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (lambda size: send(b"x" * size), DigestLie),
        (lambda size: send(b"x" * (size - 1)), BadAnswer),
        (lambda size: send(b"x" * (size + 1)), BadAnswer),
        (lambda _: endless(), DigestLie),
        (lambda _: chunked(b"zzz\r\n"), Truncated),
        (lambda size: chunked(f"{size:x}\r\n".encode(), b"y" * size, b"\r\n0\r\n\r\n"), DigestLie),
        (lambda size: send(b"x" * size, {"Content-Encoding": "gzip"}), BadAnswer),
        (lambda size: send(b"x" * size, code=206), BadAnswer),
        (lambda size: send(b"x" * size, {"Content-Range": f"bytes 1-{size}/{size + 1}"}, code=206), BadAnswer),
        (lambda _: stall(2), Stalled),
        (lambda _: status(404), NotFound),
    ],
)
def test_a_layer_that_is_not_what_its_digest_says_is_refused(
    root: Root, registry: BadRegistry, fault: Any, expected: type[Exception]
) -> None:
    image = publish(registry, "a/b", "1", [noise(5000)])
    registry.fault(image.layers[0], fault(len(registry.blobs[image.layers[0]])))
    config = quick_config()
    config.retry.attempts = 1
    with pytest.raises(PullFailed) as caught:
        fetch(root, registry, client=client_of(registry.host, config=config))
    assert isinstance(caught.value.cause, expected)
    assert root.blobs.size(image.layers[0]) is None
    assert not LayerStore(root).has(image.diff_ids[0])
    registry._faults.clear()
    assert fetch(root, registry).status == NEW


def test_a_config_that_lies_about_a_layer_makes_no_layer(root: Root, registry: BadRegistry) -> None:
    publish(registry, "a/b", "1", [SMALL], diff_ids=["sha256:" + "1" * 64])
    with pytest.raises(PullFailed):
        fetch(root, registry)
    assert not LayerStore(root).has("sha256:" + "1" * 64)
    assert list((Path(root.path) / "layers").rglob("*1111*")) == []


def test_a_config_with_another_number_of_layers_is_refused(root: Root, registry: BadRegistry) -> None:
    publish(registry, "a/b", "1", [SMALL], diff_ids=["sha256:" + "1" * 64] * 2)
    with pytest.raises(PullFailed) as caught:
        fetch(root, registry)
    assert isinstance(caught.value.cause, LayersDoNotFit)


def test_what_is_no_image_is_refused_before_anything_is_fetched(root: Root, registry: BadRegistry) -> None:
    image = publish(registry, "a/b", "1", [SMALL])
    image.manifest["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json"
    registry.add_manifest("a/b", "1", image.manifest)
    with pytest.raises(PullFailed) as caught:
        fetch(root, registry)
    assert isinstance(caught.value.cause, NotAnImage)
    assert blob_gets(registry) == []


def test_schema_1_is_refused_with_advice(root: Root, registry: BadRegistry) -> None:
    registry.add_manifest(
        "a/b", "1", {"schemaVersion": 1, "fsLayers": []}, "application/vnd.docker.distribution.manifest.v1+prettyjws"
    )
    with pytest.raises(PullFailed, match="schema 1") as caught:
        fetch(root, registry)
    assert isinstance(caught.value.cause, SchemaOne)


def test_a_layer_that_is_no_archive_says_so(root: Root, registry: BadRegistry) -> None:
    image = publish(registry, "a/b", "1", [SMALL])
    rubbish = b"this is no gzip stream" * 100
    image.manifest["layers"][0].update(digest=registry.add_blob(rubbish), size=len(rubbish))
    registry.add_manifest("a/b", "1", image.manifest)
    with pytest.raises(PullFailed, match="cannot read the layer's tar"):
        fetch(root, registry)


# --- other ways to a blob -------------------------------------------------------------------------------------------


def test_mirrors_are_asked_first_and_the_registry_when_they_fail(root: Root, registry: BadRegistry) -> None:
    with BadRegistry() as broken, BadRegistry() as half:
        image = publish(registry, "a/b", "1", [noise(300_000), SMALL])
        publish_copy(image, registry, half, "hub/a/b")
        half.fault(image.layers[0], cut(200_000), times=1)
        half.fault(image.layers[0], drop())
        broken.fault("/v2/a/b", status(500))
        mirrors = [broken.host, f"http://{half.host}/hub"]
        config = quick_config(hosts={registry.host: {"mirrors": mirrors}})
        fetch(root, registry, client=client_of(registry.host, config=config))
        asked = [seen for seen in registry.seen if "/v2/a/b" in seen.path]
        assert [(seen.headers.get("Range"), seen.path.split("/")[-1]) for seen in asked] == [
            ("bytes=200000-", image.layers[0])
        ]
        assert origins(root.db, image.layers[0]) == [f"{registry.host}/a/b"]


def test_a_mirror_that_lies_costs_time_and_nothing_else(root: Root, registry: BadRegistry) -> None:
    with BadRegistry() as mirror:
        image = publish(registry, "a/b", "1", [noise(10_000)])
        publish_copy(image, registry, mirror, "a/b")
        mirror.blobs[image.layers[0]] = bytes(len(registry.blobs[image.layers[0]]))
        config = quick_config(hosts={registry.host: {"mirrors": [mirror.host]}})
        fetch(root, registry, client=client_of(registry.host, config=config))
        assert LayerStore(root).has(image.diff_ids[0])


def test_our_credentials_for_the_registry_are_not_shown_to_its_mirrors(root: Root, registry: BadRegistry) -> None:
    from support.bad_registry import basic_auth

    with BadRegistry() as mirror:
        publish(registry, "a/b", "1", [SMALL])
        registry.auth = mirror.auth = basic_auth("me", "pw")
        config = quick_config(hosts={registry.host: {"mirrors": [mirror.host]}})
        fetch(root, registry, client=client_of(registry.host, "me", "pw", config))
        assert mirror.seen
        assert all("Authorization" not in seen.headers for seen in mirror.seen)


def publish_copy(image: Published, source: BadRegistry, target: BadRegistry, name: str) -> None:
    target.blobs.update({digest: source.blobs[digest] for digest in (*image.layers, image.config)})
    target.add_manifest(name, "1", json.dumps(image.manifest).encode())


def test_a_redirected_layer_is_continued_where_it_was_sent_to(root: Root, registry: BadRegistry) -> None:
    image = publish(registry, "a/b", "1", [noise(200_000)])
    with BadRegistry() as storage:
        storage.blobs = registry.blobs
        storage.fault(image.layers[0], cut(50_000), times=1)
        registry.fault(image.layers[0], redirect(lambda path: f"{storage.url}{path}"))
        fetch(root, registry)
        assert [seen.headers.get("Range") for seen in storage.seen] == [None, "bytes=50000-"]


def test_a_foreign_layer_comes_from_its_own_urls(root: Root, registry: BadRegistry) -> None:
    with BadRegistry() as vendor:
        image = publish(registry, "a/b", "1", [SMALL])
        layer = image.manifest["layers"][0]
        vendor.blobs[layer["digest"]] = registry.blobs.pop(layer["digest"])
        layer["mediaType"] = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
        layer["urls"] = [f"{vendor.url}/gone/x", f"{vendor.url}/files/x/blobs/{layer['digest']}"]
        registry.add_manifest("a/b", "1", image.manifest)
        fetch(root, registry)
        assert vendor.paths() == ["/gone/x", f"/files/x/blobs/{layer['digest']}"]


# --- several at once, and the collector -----------------------------------------------------------------------------


def test_two_pulls_at_once_fetch_a_layer_once(root: Root, registry: BadRegistry) -> None:
    image = publish(registry, "a/b", "1", [noise(2_000_000)])

    def slowly(handler: Handler) -> bool:
        time.sleep(0.2)
        return False

    registry.fault(image.layers[0], slowly)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            fetch(root, registry)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len([path for path in blob_gets(registry) if image.layers[0] in path]) == 1


def test_a_collection_during_a_pull_takes_nothing_of_it(root: Root, registry: BadRegistry) -> None:
    image = publish(registry, "a/b", "1", [SMALL, noise(100_000)])

    def collecting(handler: Handler) -> bool:
        other = Root.open(root.path)
        try:
            collect(other)
        finally:
            other.close()
        return False

    registry.fault("/blobs/", collecting)
    fetch(root, registry)
    collect(root)
    assert all(root.blobs.size(digest) is not None for digest in (image.digest, image.config, *image.layers))


def test_what_a_failed_pull_left_is_collected_when_nobody_wants_it(root: Root, registry: BadRegistry) -> None:
    image = publish(registry, "a/b", "1", [SMALL, noise(100_000)])
    registry.fault(image.layers[1], status(404))
    with pytest.raises(PullFailed):
        fetch(root, registry)
    collect(root)
    assert list(root.blobs) == []
    assert root.db.execute("SELECT count(*) FROM lease").fetchone() == (0,)
    assert root.db.execute("SELECT count(*) FROM layer").fetchone() == (0,)
