"""A process that dies at any instruction leaves a store that is consistent, and a next one that succeeds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hardtack.oci import mediatypes
from hardtack.oci.descriptor import Descriptor
from hardtack.oci.digest import Digest
from hardtack.oci.manifest import build_manifest
from hardtack.oci.reference import Reference
from hardtack.store.collect import collect
from hardtack.store.content import Content
from hardtack.store.lease import Lease
from hardtack.store.reference import add_image, find_image, remove_image, set_reference
from hardtack.store.root import Root
from support.consistency import assert_consistent
from support.faults import Fuse, deaths, in_child

CONFIG = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
LAYER = b"0123456789" * 30_000
NAME = Reference.parse("app").tagged()


def take_in_an_image(path: str, run: str) -> None:
    """A pull in small: a lease, a layer in three pieces, config and manifest, then the name."""
    root = Root(path, run, "00000000")
    content = Content(root)
    digest = Digest.of(LAYER)
    with Lease(root, "pull app") as lease:
        lease.keep([digest])
        if not content.has(digest):
            with root.blobs.ingest(digest, len(LAYER)) as ingest:
                rest = LAYER[ingest.offset :] if not ingest.present else b""
                for start in range(0, len(rest), 100_000):
                    ingest.write(rest[start : start + 100_000])
                ingest.commit()
                content.register(digest, len(LAYER), mediatypes.OCI_LAYER, lease=lease)
        config = content.put(CONFIG, mediatypes.OCI_CONFIG, lease)
        layer = [Descriptor(mediatypes.OCI_LAYER, digest, len(LAYER))]
        manifest = content.put(build_manifest(config, layer), mediatypes.OCI_MANIFEST, lease)
        with root.transaction(durable=True) as db:
            add_image(db, manifest.digest, config.digest)
            set_reference(db, NAME, manifest.digest)


@pytest.fixture
def place(root: Root) -> tuple[str, str]:
    root.close()  # the children open their own
    return root.path, root.run


def test_a_death_while_taking_in_an_image_leaves_all_of_it_or_none_and_the_next_attempt_succeeds(
    place: tuple[str, str],
) -> None:
    path, run = place
    steps = 0
    for _ in deaths(lambda: take_in_an_image(path, run)):
        steps += 1
        assert_consistent(path)
    assert steps >= 10  # each death made progress that the next attempt took up
    assert in_child(lambda: take_in_an_image(path, run)) == 0
    assert_consistent(path)


def test_a_death_in_an_empty_store_at_each_step_leaves_nothing_visible_that_is_not_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in range(1, 200, 4):
        path, run = str(tmp_path / str(step)), str(tmp_path / f"run{step}")
        monkeypatch.setenv("HARDTACK_RUN", run)

        def story(path: str = path, run: str = run, step: int = step) -> None:
            Root.open(path)
            Fuse(step).wire()
            take_in_an_image(path, run)

        code = in_child(story)
        assert_consistent(path)
        if code == 0:
            return
    raise AssertionError("the story never came to its end")


def test_a_death_while_a_root_is_made_leaves_one_that_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARDTACK_RUN", str(tmp_path / "run"))
    target = str(tmp_path / "root")

    def story() -> None:
        Root.open(target).db.execute("SELECT 1 FROM blob")

    for _ in deaths(story):
        pass
    root = Root.open(target)
    try:
        assert root.db.execute("SELECT count(*) FROM blob").fetchone() == (0,)
        assert_consistent(target)
    finally:
        root.close()


def test_a_death_while_collecting_leaves_files_at_most_and_the_next_collection_takes_them(
    place: tuple[str, str],
) -> None:
    path, run = place
    assert in_child(lambda: take_in_an_image(path, run)) == 0

    def forget_and_collect() -> None:
        root = Root(path, run, "00000000")
        row = find_image(root.db, "app")
        if row is not None:
            with root.transaction() as db:
                remove_image(db, row.digest)
        collect(root)

    for _ in deaths(forget_and_collect):
        assert_consistent(path)
    assert_consistent(path)
    assert not list(Path(path).glob("blobs/*/*/*"))


def test_a_dead_process_lease_no_longer_keeps_anything(place: tuple[str, str]) -> None:
    path, run = place

    def die_holding() -> None:
        root = Root(path, run, "00000000")
        with Lease(root, "pull app") as lease:
            Content(root).put(b"data", "text/plain", lease)
            os._exit(9)

    assert in_child(die_holding) == 9
    root = Root(path, run, "00000000")
    try:
        assert root.db.execute("SELECT count(*) FROM lease").fetchone() == (1,)
        report = collect(root)
        assert [digest for digest, _ in report.blobs] == [Digest.of(b"data")]
        assert root.db.execute("SELECT count(*) FROM lease").fetchone() == (0,)
    finally:
        root.close()
