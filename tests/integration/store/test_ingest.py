"""Ingest: a blob appears whole or not at all, what arrived is continued, and two who fetch one do not fight."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from hardtack.store.blob import BlobStore
from hardtack.store.errors import (
    BlobTooLarge,
    BlobUnknown,
    DigestMismatch,
    IngestBusy,
    SizeMismatch,
    StoreError,
    StoreFull,
)
from support.disks import fill, small_disk
from support.faults import in_child

DATA = bytes(range(256)) * 20_000
DIGEST = "sha256:" + hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(str(tmp_path / "store"))


def partials(store: BlobStore) -> list[str]:
    return sorted(os.listdir(f"{store.path}/ingest"))


def test_a_blob_is_read_back_as_it_was_written(store: BlobStore) -> None:
    with store.ingest(DIGEST, len(DATA)) as ingest:
        assert not ingest.present
        ingest.write(DATA[:100])
        ingest.write(memoryview(DATA)[100:])
        ingest.commit()
    assert store.size(DIGEST) == len(DATA)
    assert store.open(DIGEST).read() == DATA
    assert store.read(DIGEST, len(DATA)) == DATA
    assert list(store) == [DIGEST]
    assert partials(store) == []


def test_a_sha512_blob_and_an_empty_one_are_blobs_too(store: BlobStore) -> None:
    for data, digest in (
        (DATA, "sha512:" + hashlib.sha512(DATA).hexdigest()),
        (b"", "sha256:" + hashlib.sha256().hexdigest()),
    ):
        with store.ingest(digest) as ingest:
            ingest.write(data)
            ingest.commit()
        assert store.read(digest, len(DATA)) == data
    assert len(list(store)) == 2


def test_nothing_is_visible_before_the_commit(store: BlobStore) -> None:
    with store.ingest(DIGEST) as ingest:
        ingest.write(DATA)
        assert store.size(DIGEST) is None
        with pytest.raises(BlobUnknown):
            store.open(DIGEST)


def test_a_cut_transfer_resumes_where_it_stopped_and_its_bytes_are_hashed_again(store: BlobStore) -> None:
    with store.ingest(DIGEST, len(DATA)) as ingest:
        ingest.write(DATA[:3_000_000])
    with store.ingest(DIGEST, len(DATA)) as ingest:
        assert ingest.offset == 3_000_000
        assert b"".join(ingest.replay()) == DATA[:3_000_000]
        ingest.write(DATA[3_000_000:])
        ingest.commit()
    assert store.read(DIGEST, len(DATA)) == DATA


def test_a_resumed_transfer_need_not_look_at_the_old_bytes(store: BlobStore) -> None:
    with store.ingest(DIGEST) as ingest:
        ingest.write(DATA[:3_000_000])
    with store.ingest(DIGEST) as ingest:
        next(ingest.replay())  # a reader that gave up half way
        ingest.write(DATA[ingest.offset :])
        ingest.commit()
    assert store.read(DIGEST, len(DATA)) == DATA


def test_a_partial_file_that_was_damaged_is_thrown_away_and_a_fresh_attempt_is_offered(store: BlobStore) -> None:
    with store.ingest(DIGEST, len(DATA)) as ingest:
        ingest.write(DATA[:1000])
    with open(f"{store.path}/ingest/{partials(store)[0]}", "r+b") as file:
        file.write(b"rot")
    with store.ingest(DIGEST, len(DATA)) as ingest:
        ingest.write(DATA[ingest.offset :])
        with pytest.raises(DigestMismatch) as caught:
            ingest.commit()
        assert caught.value.resumed
        assert ingest.offset == 0
        ingest.write(DATA)
        ingest.commit()
    assert store.read(DIGEST, len(DATA)) == DATA


@pytest.mark.parametrize(
    "data",
    [b"", DATA[:-1], DATA[1:], DATA + b"x", b"\0" * len(DATA)],
    ids=["none", "short", "shifted", "long", "zeroes"],
)
def test_other_bytes_than_the_digest_names_never_become_the_blob(store: BlobStore, data: bytes) -> None:
    with store.ingest(DIGEST) as ingest:
        ingest.write(data)
        with pytest.raises(DigestMismatch) as caught:
            ingest.commit()
        assert not caught.value.resumed
    assert store.size(DIGEST) is None
    assert partials(store) == []


def test_more_bytes_than_announced_end_at_once(store: BlobStore) -> None:
    with store.ingest(DIGEST, 1000) as ingest, pytest.raises(SizeMismatch):
        ingest.write(DATA)
    assert partials(store) == []


def test_fewer_bytes_than_announced_are_kept_for_the_next_attempt(store: BlobStore) -> None:
    with store.ingest(DIGEST, len(DATA)) as ingest:
        ingest.write(DATA[:1000])
        with pytest.raises(SizeMismatch, match="what arrived is kept"):
            ingest.commit()
    assert len(partials(store)) == 1


def test_a_partial_file_longer_than_announced_starts_again(store: BlobStore) -> None:
    with store.ingest(DIGEST) as ingest:
        ingest.write(b"x" * (len(DATA) + 1))
    with store.ingest(DIGEST, len(DATA)) as ingest:
        assert ingest.offset == 0
        ingest.write(DATA)
        ingest.commit()


def test_a_blob_that_lost_its_tail_is_taken_in_again_over_it(store: BlobStore) -> None:
    with store.ingest(DIGEST) as ingest:
        ingest.write(DATA)
        ingest.commit()
    os.truncate(store.path_of(DIGEST), 10)
    with store.ingest(DIGEST, len(DATA)) as ingest:
        assert not ingest.present
        ingest.write(DATA)
        ingest.commit()
    assert store.read(DIGEST, len(DATA)) == DATA


def test_a_second_process_waits_and_then_finds_the_blob(store: BlobStore, tmp_path: Path) -> None:
    ready = tmp_path / "ready"

    def first() -> None:
        with store.ingest(DIGEST, len(DATA)) as ingest:
            ingest.write(DATA[:1000])
            ready.touch()
            time.sleep(0.3)
            ingest.write(DATA[1000:])
            ingest.commit()

    worker = threading.Thread(target=lambda: in_child(first))
    worker.start()
    while not ready.exists():
        time.sleep(0.01)
    with pytest.raises(IngestBusy), store.ingest(DIGEST, wait=False):
        pass
    began = time.monotonic()
    with store.ingest(DIGEST, len(DATA)) as ingest:
        assert ingest.present
        assert ingest.offset == len(DATA)
    assert time.monotonic() - began > 0.1
    worker.join()


def test_a_second_thread_goes_on_where_the_first_gave_up(store: BlobStore) -> None:
    began = threading.Event()

    def first() -> None:
        with store.ingest(DIGEST) as ingest:
            ingest.write(DATA[:1000])
            began.set()
            time.sleep(0.2)

    worker = threading.Thread(target=first)
    worker.start()
    began.wait()
    with store.ingest(DIGEST) as ingest:
        assert ingest.offset == 1000
        ingest.write(DATA[1000:])
        ingest.commit()
    worker.join()
    assert store.size(DIGEST) == len(DATA)


def test_many_at_once_write_it_once(store: BlobStore) -> None:
    wrote: list[int] = []

    def take(number: int) -> None:
        with store.ingest(DIGEST, len(DATA)) as ingest:
            if not ingest.present:
                for start in range(0, len(DATA), 1 << 18):
                    ingest.write(DATA[start : start + (1 << 18)])
                ingest.commit()
                wrote.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wrote) == 1
    assert store.read(DIGEST, len(DATA)) == DATA


def test_a_symbolic_link_in_the_way_of_a_partial_file_is_not_followed(store: BlobStore, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    os.makedirs(f"{store.path}/ingest")
    os.symlink(victim, f"{store.path}/ingest/{DIGEST.replace(':', '-')}")
    with pytest.raises(StoreError), store.ingest(DIGEST):
        pass
    assert victim.read_bytes() == b"precious"


def test_a_blob_larger_than_its_reader_accepts_is_not_read(store: BlobStore) -> None:
    with store.ingest(DIGEST) as ingest:
        ingest.write(DATA)
        ingest.commit()
    with pytest.raises(BlobTooLarge):
        store.read(DIGEST, len(DATA) - 1)


def test_a_full_disk_ends_the_transfer_frees_its_space_and_leaves_the_rest_readable(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "16m") as disk:
        store = BlobStore(str(disk))
        small = "sha256:" + hashlib.sha256(b"small").hexdigest()
        with store.ingest(small) as ingest:
            ingest.write(b"small")
            ingest.commit()
        fill(disk, leave=2 << 20)
        with store.ingest(DIGEST) as ingest, pytest.raises(StoreFull, match="system prune"):
            ingest.write(DATA)
        assert partials(store) == []
        assert os.statvfs(disk).f_bavail > 0
        assert store.read(small, 10) == b"small"
        (disk / "filler").unlink()
        with store.ingest(DIGEST) as ingest:
            ingest.write(DATA)
            ingest.commit()


@pytest.mark.parametrize("call", ["fsync", "rename", "mkdir"])
def test_no_space_at_any_step_of_the_commit_is_said_as_such(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    with store.ingest(DIGEST) as ingest:
        ingest.write(DATA)

        def full(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, call, full)
        with pytest.raises(StoreFull):
            ingest.commit()
        monkeypatch.undo()
    assert store.size(DIGEST) is None
    assert partials(store) == []
