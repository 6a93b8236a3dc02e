"""Blobs on their way to a registry: there already, mounted, sent whole, cut and continued."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from hardtack.oci.digest import Digest
from hardtack.progress import Progress
from hardtack.remote.errors import DigestLie, Refused, RemoteError, Unreachable
from hardtack.remote.upload import EXISTS, PUSHED, Uploader
from hardtack.store.blob import BlobStore
from hardtack.store.errors import BlobUnknown
from support.bad_registry import (
    BadRegistry,
    Handler,
    TokenServer,
    drop,
    redirect,
    status,
    swallow,
)
from support.clients import client_of, repository_of

LARGE = 3 << 20


class Counting(Progress):
    """Adds up what it is told."""

    def __init__(self) -> None:
        self.done = 0

    def begin(self, item: str, label: str, total: int | None = None) -> None:
        self.done = 0

    def advance(self, item: str, amount: int) -> None:
        self.done += amount


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(str(tmp_path))


def hold(blobs: BlobStore, data: bytes) -> Digest:
    digest = Digest.of(data)
    with blobs.ingest(digest, len(data)) as ingest:
        ingest.write(data)
        ingest.commit()
    return digest


def upload(registry: BadRegistry, blobs: BlobStore, digest: Digest, *neighbours: str, progress: Progress | None = None):
    uploader = Uploader(repository_of(registry, push=True), blobs, progress or Progress())
    return uploader.push(digest, blobs.size(digest) or 0, neighbours)


@pytest.mark.parametrize("size", [0, 1, 1000, LARGE])
def test_a_blob_is_sent_once(registry: BadRegistry, blobs: BlobStore, size: int) -> None:
    data = os.urandom(size)
    digest = hold(blobs, data)
    progress = Counting()
    assert upload(registry, blobs, digest, progress=progress) == PUSHED
    assert registry.blobs[digest] == data
    assert progress.done == size
    assert upload(registry, blobs, digest) == EXISTS
    assert len(registry.paths("POST")) == 1


def test_a_neighbour_gives_its_blob_by_mount(registry: BadRegistry, blobs: BlobStore) -> None:
    digest = hold(blobs, b"x" * 100)
    registry.links["c/d"] = {digest}
    assert upload(registry, blobs, digest, "c/d") == "Mounted from c/d"
    assert registry.paths("PUT") == registry.paths("PATCH") == []


def test_a_mount_that_is_not_granted_becomes_an_ordinary_upload(registry: BadRegistry, blobs: BlobStore) -> None:
    digest = hold(blobs, b"x" * 100)
    assert upload(registry, blobs, digest, "c/d") == PUSHED
    assert len(registry.paths("POST")) == 1
    registry.fault("mount=", status(403), times=1)
    other = hold(blobs, b"y" * 100)
    assert upload(registry, blobs, other, "c/d") == PUSHED


def test_a_mount_asks_for_the_right_to_read_the_neighbour(
    registry: BadRegistry, tokens: TokenServer, blobs: BlobStore
) -> None:
    tokens.users["me"] = "pw"
    registry.auth = tokens.guard()
    digest = hold(blobs, b"x" * 100)
    registry.links["c/d"] = {digest}
    repository = client_of(registry.host, "me", "pw").repository("a/b", push=True)
    Uploader(repository, blobs).push(digest, 100, ["c/d"])
    scopes = tokens.seen[-1].path
    assert "repository%3Ac%2Fd%3Apull" in scopes
    assert "repository%3Aa%2Fb%3Apull%2Cpush" in scopes


@pytest.mark.parametrize("arrived", [0, 1, 2 << 20])
def test_an_upload_that_was_cut_goes_on_where_the_registry_stopped(
    registry: BadRegistry, blobs: BlobStore, arrived: int
) -> None:
    data = os.urandom(LARGE)
    digest = hold(blobs, data)
    registry.fault("PATCH", swallow(arrived), times=1)
    progress = Counting()
    assert upload(registry, blobs, digest, progress=progress) == PUSHED
    assert registry.blobs[digest] == data
    assert progress.done == LARGE
    resumed = [seen for seen in registry.seen if seen.method == "PATCH"][-1]
    assert len(resumed.body) == (LARGE - arrived if arrived > 1 else LARGE)  # one byte looks like none: `0-0`


def test_an_upload_whose_session_is_lost_begins_anew(registry: BadRegistry, blobs: BlobStore) -> None:
    digest = hold(blobs, os.urandom(LARGE))

    def forget(handler: Handler) -> bool:
        handler.registry.uploads.clear()
        handler.hang_up()
        return True

    registry.fault("PATCH", forget, times=1)
    assert upload(registry, blobs, digest) == PUSHED
    assert len(registry.paths("POST")) == 2


def test_a_lost_last_answer_does_not_send_the_blob_again(registry: BadRegistry, blobs: BlobStore) -> None:
    data = os.urandom(LARGE)
    digest = hold(blobs, data)

    def accept_and_hang_up(handler: Handler) -> bool:
        handler.registry.blobs[digest] = data
        handler.registry.uploads.clear()
        handler.hang_up()
        return True

    registry.fault("PUT", accept_and_hang_up, times=1)
    assert upload(registry, blobs, digest) == PUSHED
    assert len(registry.paths("PATCH")) == 1


def test_a_passing_500_is_tried_again(registry: BadRegistry, blobs: BlobStore) -> None:
    digest = hold(blobs, os.urandom(LARGE))
    for method in ("POST", "PATCH", "PUT"):
        registry.fault(method, status(500), times=1)
    assert upload(registry, blobs, digest) == PUSHED


def test_a_registry_that_always_hangs_up_is_given_up(registry: BadRegistry, blobs: BlobStore) -> None:
    digest = hold(blobs, os.urandom(LARGE))
    registry.fault("PATCH", drop())
    with pytest.raises(Unreachable):
        upload(registry, blobs, digest)
    assert len(registry.paths("PATCH")) <= 5


def test_a_refusal_in_the_middle_of_sending_is_heard(registry: BadRegistry, blobs: BlobStore) -> None:
    digest = hold(blobs, os.urandom(LARGE * 4))

    def refuse(handler: Handler) -> bool:
        handler.error(413, "SIZE_INVALID", "too much for us")
        handler.close_connection = True
        return True

    refuse.before_body = True  # type: ignore[attr-defined]
    registry.fault("PATCH", refuse)
    with pytest.raises(RemoteError) as caught:
        upload(registry, blobs, digest)
    assert isinstance(caught.value, (Refused, Unreachable))  # a reset may overtake the words


def test_a_registry_that_stored_something_else_is_caught(registry: BadRegistry, blobs: BlobStore) -> None:
    digest = hold(blobs, b"x")
    registry.fault("PUT", status(201, {"Docker-Content-Digest": "sha256:" + "1" * 64}))
    with pytest.raises(DigestLie):
        upload(registry, blobs, digest)


def test_credentials_do_not_follow_an_upload_to_another_host(registry: BadRegistry, blobs: BlobStore) -> None:
    from support.bad_registry import basic_auth

    data = os.urandom(LARGE)
    digest = hold(blobs, data)
    with BadRegistry() as storage:
        storage.uploads["s"] = bytearray()
        registry.auth = basic_auth("me", "pw")

        def elsewhere(handler: Handler) -> bool:
            handler.answer(202, b"", {"Location": f"{storage.url}/v2/x/blobs/uploads/s"})
            return True

        repository = client_of(registry.host, "me", "pw").repository("a/b", push=True)
        repository.client.ping()
        registry.fault("POST", elsewhere)
        Uploader(repository, blobs).push(digest, len(data))
        assert storage.blobs[digest] == data
        assert all("Authorization" not in seen.headers for seen in storage.seen)


def test_an_upload_is_not_redirected_with_its_body(registry: BadRegistry, blobs: BlobStore) -> None:
    digest = hold(blobs, b"x")
    registry.fault("PUT", redirect(lambda path: path))
    with pytest.raises(RemoteError, match="307"):
        upload(registry, blobs, digest)


def test_what_we_do_not_hold_cannot_be_sent(registry: BadRegistry, blobs: BlobStore) -> None:
    with pytest.raises(BlobUnknown):
        Uploader(repository_of(registry, push=True), blobs).push(Digest.of(b"x"), 1)


def test_another_failure_stops_an_upload(registry: BadRegistry, blobs: BlobStore) -> None:
    digest = hold(blobs, os.urandom(LARGE))
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(RemoteError, match="another part failed"):
        Uploader(repository_of(registry, push=True), blobs, cancelled=cancelled).push(digest, LARGE)
