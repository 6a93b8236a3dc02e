"""Fsck: every damage is found by its name, a repair leaves a store without one, and a sound store is left alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hardtack.oci.digest import Digest
from hardtack.store.content import Content
from hardtack.store.fsck import fsck
from hardtack.store.lease import Lease
from hardtack.store.root import Root
from support.faults import in_child
from support.images import make_image

LAYER = b"layer" * 10_000


def rot(root: Root) -> str:
    path = root.blobs.path_of(Digest.of(LAYER))
    with open(path, "r+b") as file:
        file.seek(20_000)
        file.write(b"rot")
    return "blob-damaged"


def cut(root: Root) -> str:
    os.truncate(root.blobs.path_of(Digest.of(LAYER)), 100)
    return "blob-damaged"


def lose(root: Root) -> str:
    os.unlink(root.blobs.path_of(Digest.of(LAYER)))
    return "blob-missing"


def lose_edges(root: Root) -> str:
    root.db.execute("DELETE FROM edge WHERE kind = 'layer'")
    return "edge-missing"


def lose_keep(root: Root) -> str:
    root.db.execute("DELETE FROM keep")
    return "keep-missing"


def keep_nothing(root: Root) -> str:
    root.db.execute("INSERT INTO keep VALUES ('image:sha256:' || hex(zeroblob(32)), 'x')")
    return "keep-dangling"


def keep_for_no_container(root: Root) -> str:
    root.db.execute("INSERT INTO keep SELECT 'container:gone', digest FROM image")
    return "keep-dangling"


def name_nothing(root: Root) -> str:
    root.db.execute("INSERT INTO reference VALUES ('docker.io/library/ghost:latest', 'sha256:' || 'x', 0)")
    return "name-dangling"


def stray(root: Root) -> str:
    with root.blobs.ingest(Digest.of(b"stray")) as ingest:
        ingest.write(b"stray")
        ingest.commit()
    return "blob-stray"


def foreign(root: Root) -> str:
    Path(root.path, "blobs", "sha256", "README").write_text("what is this doing here")
    return "file-foreign"


def dead_lease(root: Root) -> str:
    root.close()

    def die() -> None:
        with Lease(root, "pull x"):
            os._exit(0)

    in_child(die)
    return "lease-dead"


def lose_layer(root: Root) -> str:
    root.db.execute("INSERT INTO layer VALUES (?, 'erofs', 1, 1, 1, 0)", ("sha256:" + "9" * 64,))
    return "layer-damaged"


DAMAGES = [
    rot,
    cut,
    lose,
    lose_edges,
    lose_keep,
    keep_nothing,
    keep_for_no_container,
    name_nothing,
    stray,
    foreign,
    dead_lease,
    lose_layer,
]


def test_a_sound_store_has_nothing_to_say_and_loses_nothing_by_a_repair(root: Root) -> None:
    make_image(root, "app", LAYER)
    before = set(root.blobs)
    with Lease(root, "busy") as lease:
        Content(root).put(b"held", "text/plain", lease)
        assert fsck(root) == []
        assert fsck(root, repair=True) == []
    assert set(root.blobs) >= before


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damage_is_named_left_alone_without_repair_and_gone_after_it(
    root: Root, damage: Callable[[Root], str]
) -> None:
    make_image(root, "app", LAYER)
    kind = damage(root)
    for _ in range(2):
        found = [finding for finding in fsck(root) if finding.kind != "image-incomplete"]
        assert [finding.kind for finding in found] == [kind]
        assert found[0].harmless == (damage in (stray, dead_lease))  # what any death leaves behind
    assert all(finding.repaired for finding in fsck(root, repair=True) if finding.kind == kind)
    assert {finding.kind for finding in fsck(root)} <= {"image-incomplete"}


def test_a_damaged_blob_says_who_needs_it_and_how_to_get_it_back(root: Root) -> None:
    make_image(root, "app", LAYER)
    rot(root)
    assert fsck(root, quick=True) == []  # its length is right
    (finding,) = fsck(root)
    assert "its bytes are sha256:" in finding.message
    assert "needed by image docker.io/library/app:latest" in finding.message
    assert "tack pull docker.io/library/app:latest" in finding.hint
    fsck(root, repair=True)
    assert not Content(root).has(Digest.of(LAYER))
    assert [name.split("-")[0] for name in os.listdir(root.tmp)] == ["damaged"]
    with root.blobs.ingest(Digest.of(LAYER), len(LAYER)) as ingest:
        ingest.write(LAYER)
        ingest.commit()
        Content(root).register(Digest.of(LAYER), len(LAYER), "")
    assert fsck(root) == []


def test_an_image_whose_config_is_lost_is_incomplete_by_name(root: Root) -> None:
    make_image(root, "app", LAYER)
    (config,) = root.db.execute("SELECT config FROM image").fetchone()
    root.blobs.remove(config)
    fsck(root, repair=True)
    (finding,) = fsck(root)
    assert (finding.kind, finding.subject) == ("image-incomplete", "docker.io/library/app:latest")
    assert config in finding.message


def test_a_damaged_database_is_named(root: Root) -> None:
    for number in range(50):
        make_image(root, f"app{number}", LAYER)
    root.close()
    with open(f"{root.path}/state.db", "r+b") as file:
        for page in range(8, 30):
            file.seek(page * 4096 + 200)
            file.write(os.urandom(3000))
    (finding,) = fsck(root, repair=True)
    assert finding.kind == "database-damaged"
    assert not finding.repaired
    assert root.blobs.size(Digest.of(LAYER)) == len(LAYER)
