"""Usage: what is said to be used is what `du` says."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from hardtack.oci.digest import Digest
from hardtack.store.collect import collect
from hardtack.store.disk import tree_size
from hardtack.store.root import Root
from hardtack.store.usage import BUILD, DOWNLOADS, IMAGES, usage
from support.images import forget_image, make_image


def du(path: str) -> int:
    done = subprocess.run(["du", "-s", "--block-size=1", path], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0])


def test_a_tree_takes_what_du_says_whatever_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "file").write_bytes(b"x" * 100_000)
    os.link(tmp_path / "a" / "file", tmp_path / "a" / "b" / "again")
    os.symlink("/usr", tmp_path / "a" / "link")
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1 << 30)
    os.mkfifo(tmp_path / "fifo")
    for number in range(50):
        (tmp_path / f"d{number}").mkdir()
    assert tree_size(str(tmp_path)) == du(str(tmp_path))
    assert tree_size(str(tmp_path / "a" / "file")) == du(str(tmp_path / "a" / "file"))
    assert tree_size(str(tmp_path / "nothing")) == 0


def test_a_tree_deeper_than_any_path_is_measured_too(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(500):
        os.mkdir("directory", dir_fd=here)
        there = os.open("directory", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = there
    os.close(here)
    try:
        assert tree_size(str(tmp_path)) == du(str(tmp_path))
    finally:
        subprocess.run(["rm", "-rf", str(tmp_path / "directory")], check=True)


def test_the_shares_add_up_to_du_of_the_root(root: Root) -> None:
    make_image(root, "app", b"a" * 200_000)
    make_image(root, "gone", b"b" * 300_000)
    forget_image(root, "gone")
    with root.blobs.ingest(Digest.of(b"unfinished")) as ingest:
        ingest.write(b"x" * 50_000)
    shares = {share.kind: share for share in usage(root)}
    assert sum(share.size for share in shares.values()) == du(root.path)
    images = shares[IMAGES]
    assert (images.total, images.active) == (1, 0)
    assert 500_000 < images.reclaimable <= images.size  # nobody uses the one, nobody knows the other
    assert 50_000 <= shares[DOWNLOADS].size < 70_000


def test_what_is_said_to_be_reclaimable_is_what_pruning_gives_back(root: Root) -> None:
    make_image(root, "app", b"a" * 200_000)
    before = {share.kind: share for share in usage(root)}
    forget_image(root, "app")
    assert collect(root).freed == before[IMAGES].reclaimable


def test_content_that_only_builds_keep_counts_for_them(root: Root) -> None:
    make_image(root, "app", b"shared" * 20_000)
    make_image(root, "base", b"cached" * 50_000)
    with root.transaction() as db:
        for data in (b"shared" * 20_000, b"cached" * 50_000):
            db.execute("INSERT INTO keep VALUES ('build:one', ?)", (Digest.of(data),))
    forget_image(root, "base")
    shares = {share.kind: share for share in usage(root)}
    assert shares[BUILD].total == 1
    assert 300_000 <= shares[BUILD].size < 330_000
    assert sum(share.size for share in shares.values()) == du(root.path)


def test_an_image_that_a_container_uses_is_active_and_not_reclaimable(root: Root) -> None:
    image = make_image(root, "app", b"a" * 200_000)
    root.db.execute(
        "INSERT INTO container (id, name, image, image_id, layers, created, document)"
        " VALUES ('c', 'n', ?, '', '', 0, '{}')",
        (image.digest,),
    )
    shares = {share.kind: share for share in usage(root)}
    assert (shares[IMAGES].active, shares[IMAGES].reclaimable) == (1, 0)
