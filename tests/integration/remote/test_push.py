"""Pushes: order, mounts, indexes that are not whole, blobs that were let go."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from hardtack.image.pull import pull
from hardtack.image.push import NotHere, Pushed, PushFailed, push
from hardtack.oci.platform import Platform
from hardtack.oci.reference import Reference
from hardtack.progress import Progress
from hardtack.remote.errors import Denied
from hardtack.store.reference import set_reference
from hardtack.store.root import Root
from support.bad_registry import BadRegistry, Handler, status
from support.clients import client_of
from support.published import publish, publish_index
from support.tars import files_tar


class Lines(Progress):
    """What a pipe would see."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def finish(self, item: str, label: str) -> None:
        self.lines.append(f"{item[7:19]}: {label}")

    def say(self, line: str) -> None:
        self.lines.append(line)


def layer(text: str) -> bytes:
    return files_tar({"etc/motd": text.encode()})


def fetch(root: Root, registry: BadRegistry, name: str, **more: Any) -> str:
    return pull(root, Reference.parse(f"{registry.host}/{name}"), client=client_of(registry.host), **more).digest


def name_it(root: Root, registry: BadRegistry, name: str, digest: str) -> Reference:
    reference = Reference.parse(f"{registry.host}/{name}")
    with root.transaction() as db:
        set_reference(db, reference, digest)
    return reference


def send(root: Root, reference: Reference, progress: Progress | None = None, **more: Any) -> list[Pushed]:
    return push(root, reference, progress=progress or Progress(), client=client_of(reference.domain), **more)


@pytest.fixture
def other(registry: BadRegistry) -> Any:
    """A second registry."""
    with BadRegistry() as server:
        yield server


def test_an_image_arrives_whole_blobs_before_manifest(root: Root, registry: BadRegistry, other: BadRegistry) -> None:
    image = publish(registry, "a/b", "1", [layer("one"), layer("two")])
    reference = name_it(root, other, "c:2", fetch(root, registry, "a/b:1"))
    lines = Lines()
    pushed = send(root, reference, lines)
    assert [(entry.digest, str(entry.reference)) for entry in pushed] == [(image.digest, f"{other.host}/c:2")]
    assert other.manifests["c:2"] == registry.manifests["a/b:1"]
    assert set(other.blobs) == {*image.layers, image.config}
    assert other.seen[-1].method == "PUT"
    assert "/manifests/2" in other.seen[-1].path
    assert lines.lines[0] == f"The push refers to repository [{other.host}/c]"
    assert sorted(lines.lines[1:-1]) == sorted(f"{digest[7:19]}: Pushed" for digest in image.layers)
    assert lines.lines[-1] == f"2: digest: {image.digest} size: {len(registry.manifests['a/b:1'][0])}"


def test_pushing_again_sends_the_manifest_alone(root: Root, registry: BadRegistry, other: BadRegistry) -> None:
    publish(registry, "a/b", "1", [layer("one")])
    reference = name_it(root, other, "c:2", fetch(root, registry, "a/b:1"))
    send(root, reference)
    other.seen.clear()
    lines = Lines()
    send(root, reference, lines)
    assert {seen.method for seen in other.seen} <= {"GET", "HEAD", "PUT"}
    assert len(other.paths("PUT")) == 1
    assert lines.lines[1].endswith("Layer already exists")


def test_blobs_are_mounted_from_where_they_were_pulled(root: Root, registry: BadRegistry) -> None:
    image = publish(registry, "a/b", "1", [layer("one")])
    digest = fetch(root, registry, "a/b:1")
    registry.links["a/b"] = {image.config, *image.layers}
    for blob in registry.links["a/b"]:
        registry.fault(f"HEAD /v2/c/blobs/{blob}", status(404))
    lines = Lines()
    send(root, name_it(root, registry, "c:2", digest), lines)
    assert f"{image.layers[0][7:19]}: Mounted from a/b" in lines.lines
    assert registry.paths("PATCH") == []


def test_every_tag_of_a_repository_can_be_pushed(root: Root, registry: BadRegistry, other: BadRegistry) -> None:
    digest = ""
    for tag in ("1", "2"):
        publish(registry, "a/b", tag, [layer(tag)])
        digest = fetch(root, registry, f"a/b:{tag}")
        name_it(root, other, f"c:{tag}", digest)
    name_it(root, other, "c-not:1", digest)
    name_it(root, other, "c/not:1", digest)
    pushed = send(root, Reference.parse(f"{other.host}/c"), all_tags=True)
    assert [entry.reference.tag for entry in pushed] == ["1", "2"]
    assert {key for key in other.manifests if "sha256" not in key} == {"c:1", "c:2"}


def test_a_name_that_nothing_has_is_told_in_dockers_words(root: Root, registry: BadRegistry) -> None:
    with pytest.raises(PushFailed, match="does not exist locally with the tag") as caught:
        send(root, Reference.parse(f"{registry.host}/c:9"))
    assert isinstance(caught.value.cause, NotHere)
    with pytest.raises(PushFailed):
        send(root, Reference.parse(f"{registry.host}/c"), all_tags=True)


@pytest.fixture
def index(registry: BadRegistry) -> tuple[str, dict[str, Any]]:
    """An index of two platforms at a/b:1."""
    images = {name: publish(registry, "a/b", name, [layer(name)], name) for name in ("amd64", "arm64")}
    return publish_index(registry, "a/b", "1", images), images


def test_an_index_that_is_whole_goes_children_first(
    root: Root, registry: BadRegistry, other: BadRegistry, index: tuple[str, dict[str, Any]]
) -> None:
    for name in ("arm64", "amd64"):
        fetch(root, registry, "a/b:1", platform=Platform.parse(f"linux/{name}"))
    send(root, name_it(root, other, "c:1", index[0]))
    assert other.manifests["c:1"] == registry.manifests["a/b:1"]
    manifests = [path.split("/")[-1] for path in other.paths("PUT", "/manifests/")]
    assert manifests[-1] == "1"
    assert set(manifests[:-1]) == {image.digest for image in index[1].values()}


def test_of_an_index_that_is_not_whole_the_image_held_here_is_pushed_and_that_is_said(
    root: Root, registry: BadRegistry, other: BadRegistry, index: tuple[str, dict[str, Any]]
) -> None:
    fetch(root, registry, "a/b:1", platform=Platform.parse("linux/arm64"))
    lines = Lines()
    pushed = send(root, name_it(root, other, "c:1", index[0]), lines)
    assert pushed[0].digest == index[1]["arm64"].digest
    assert any("Not every platform" in line and index[0] in line for line in lines.lines)


def test_an_index_goes_back_whole_to_where_its_other_platforms_are(
    root: Root, registry: BadRegistry, index: tuple[str, dict[str, Any]]
) -> None:
    digest = fetch(root, registry, "a/b:1", platform=Platform.parse("linux/arm64"))
    pushed = send(root, name_it(root, registry, "a/b:2", digest))
    assert pushed[0].digest == digest
    assert registry.manifests["a/b:2"] == registry.manifests["a/b:1"]


def test_one_platform_of_an_index_can_be_chosen(
    root: Root, registry: BadRegistry, other: BadRegistry, index: tuple[str, dict[str, Any]]
) -> None:
    for name in ("arm64", "amd64"):
        fetch(root, registry, "a/b:1", platform=Platform.parse(f"linux/{name}"))
    pushed = send(root, name_it(root, other, "c:1", index[0]), platform=Platform.parse("linux/arm64"))
    assert pushed[0].digest == index[1]["arm64"].digest


def test_a_blob_that_the_store_let_go_is_fetched_again_from_its_origin(
    root: Root, registry: BadRegistry, other: BadRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARDTACK_CONFIG", "")
    image = publish(registry, "a/b", "1", [layer("one")])
    reference = name_it(root, other, "c:1", fetch(root, registry, "a/b:1"))
    root.blobs.remove(image.layers[0])
    send(root, reference)
    assert image.layers[0] in other.blobs


@pytest.mark.timeout(30)
def test_a_failure_does_not_wait_for_a_blob_that_is_fetched_again(
    root: Root, registry: BadRegistry, other: BadRegistry
) -> None:
    image = publish(registry, "a/b", "1", [layer("one"), layer("two")])
    reference = name_it(root, other, "c:1", fetch(root, registry, "a/b:1"))
    root.blobs.remove(image.layers[0])
    begun = threading.Event()

    def silent(handler: Handler) -> bool:
        begun.set()
        time.sleep(12)
        handler.hang_up()
        return True

    def refuse(handler: Handler) -> bool:
        begun.wait(10)
        handler.error(403, "DENIED")
        return True

    registry.fault(f"GET /v2/a/b/blobs/{image.layers[0]}", silent)
    other.fault(f"HEAD /v2/c/blobs/{image.layers[1]}", refuse)
    client = client_of(other.host)
    client.config.stall_timeout = 20.0
    before = time.monotonic()
    with pytest.raises(PushFailed) as caught:
        push(root, reference, client=client)
    assert isinstance(caught.value.cause, Denied)
    assert time.monotonic() - before < 8


def test_a_foreign_layer_is_not_pushed(root: Root, registry: BadRegistry, other: BadRegistry) -> None:
    image = publish(registry, "a/b", "1", [layer("one")])
    image.manifest["layers"][0]["mediaType"] = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    registry.add_manifest("a/b", "1", image.manifest)
    lines = Lines()
    send(root, name_it(root, other, "c:1", fetch(root, registry, "a/b:1")), lines)
    assert image.layers[0] not in other.blobs
    assert f"{image.layers[0][7:19]}: Skipped foreign layer" in lines.lines


def test_a_failure_leaves_no_tag_behind(root: Root, registry: BadRegistry, other: BadRegistry) -> None:
    publish(registry, "a/b", "1", [layer("one"), layer("two")])
    reference = name_it(root, other, "c:1", fetch(root, registry, "a/b:1"))
    other.fault("POST", status(403))
    with pytest.raises(PushFailed, match=f"cannot push {other.host}/c:1: .*denies access"):
        send(root, reference)
    assert other.manifests == {}
