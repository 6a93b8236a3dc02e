"""Collection: garbage goes, what anybody holds stays, while others work; and it can be said why."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from hardtack.linux.process import Lock
from hardtack.oci import mediatypes
from hardtack.oci.digest import Digest
from hardtack.oci.manifest import build_index, build_manifest
from hardtack.oci.reference import Reference
from hardtack.store import collect as collect_module
from hardtack.store.collect import collect, why, would_free
from hardtack.store.content import Content
from hardtack.store.disk import tree_size
from hardtack.store.lease import Lease
from hardtack.store.reference import add_image, find_image, remove_image, set_reference
from hardtack.store.root import Root
from hardtack.store.why import DigestUnknown
from support.consistency import assert_consistent
from support.disks import fill, small_disk
from support.images import CONFIG, forget_image, make_image


def test_what_images_reach_stays_and_what_only_a_removed_one_reached_goes(root: Root) -> None:
    make_image(root, "one", b"shared", b"only one")
    make_image(root, "two", b"shared", b"only two")
    assert collect(root).freed == 0
    forget_image(root, "one")
    expected = would_free(root, [])
    assert expected.freed == 0  # it is garbage already, nobody holds it
    report = collect(root)
    gone = {digest for digest, _ in report.blobs}
    assert Digest.of(b"only one") in gone
    assert len(gone) == 3  # with its config and its manifest
    assert {digest for digest, _ in root.db.execute("SELECT digest, size FROM blob")} == set(root.blobs)
    assert Digest.of(b"shared") in set(root.blobs)
    assert not root.db.execute("SELECT 1 FROM edge WHERE parent NOT IN (SELECT digest FROM blob)").fetchall()


def test_a_dry_run_says_the_same_and_removes_nothing(root: Root) -> None:
    make_image(root, "one", b"x" * 50_000)
    before = tree_size(root.path + "/blobs")
    forget_image(root, "one")
    announced = collect(root, dry_run=True)
    assert tree_size(root.path + "/blobs") == before
    done = collect(root)
    assert (sorted(announced.blobs), announced.freed) == (sorted(done.blobs), done.freed)
    assert announced.freed >= 50_000


def test_what_a_removal_would_free_is_known_before(root: Root) -> None:
    one = make_image(root, "one", b"shared" * 9000, b"only one" * 9000)
    two = make_image(root, "two", b"shared" * 9000)
    alone = would_free(root, [f"image:{one.digest}"])
    assert Digest.of(b"only one" * 9000) in {digest for digest, _ in alone.blobs}
    assert Digest.of(b"shared" * 9000) not in {digest for digest, _ in alone.blobs}
    both = would_free(root, [f"image:{one.digest}", f"image:{two.digest}"])
    assert both.freed > alone.freed + 50_000
    forget_image(root, "one")
    assert collect(root).freed == alone.freed


def test_a_name_that_moved_leaves_the_old_image_until_somebody_removes_it(root: Root) -> None:
    old = make_image(root, "app", b"old")
    make_image(root, "other", b"new")
    row = find_image(root.db, "other")
    assert row is not None
    with root.transaction() as db:
        assert set_reference(db, Reference.parse("app").tagged(), row.digest) == old.digest
    assert collect(root).freed == 0
    found = find_image(root.db, "app")
    assert found is not None
    assert found.digest == row.digest
    assert find_image(root.db, old.digest) is not None


def test_children_of_a_kept_index_and_referrers_of_a_kept_subject_stay(root: Root) -> None:
    content = Content(root)
    with Lease(root, "test") as lease:
        config = content.put(CONFIG % b"x", mediatypes.OCI_CONFIG, lease)
        manifest = content.put(build_manifest(config, []), mediatypes.OCI_MANIFEST, lease)
        index = content.put(build_index([manifest]), mediatypes.OCI_INDEX, lease)
        signature = content.put(
            build_manifest(config, [], subject=manifest, artifact_type="a/signature"), mediatypes.OCI_MANIFEST, lease
        )
        with root.transaction() as db:
            add_image(db, index.digest, config.digest)
    assert collect(root).blobs == []
    forget_image(root, index.digest)
    assert {digest for digest, _ in collect(root).blobs} == {
        config.digest,
        manifest.digest,
        index.digest,
        signature.digest,
    }


def test_why_names_the_holder_and_the_way_down(root: Root) -> None:
    image = make_image(root, "app", b"layer")
    layer = Digest.of(b"layer")
    with root.transaction() as db:
        db.execute("INSERT INTO keep VALUES ('build:step1', ?)", (layer,))
    direct, through = why(root, layer.short)
    assert (direct.label, direct.chain) == ("build cache step1", [(layer, "")])
    assert through.label == "image docker.io/library/app:latest"
    assert through.chain == [(image.digest, ""), (layer, "layer")]
    with Lease(root, "pull something") as lease:
        lease.keep([layer])
        assert f"pull something, process {os.getpid()}" in [reason.label for reason in why(root, layer)]
    with pytest.raises(DigestUnknown):
        why(root, "ffff")
    with pytest.raises(DigestUnknown, match="digests begin so"):
        prefixes = [digest.hex[:1] for digest in root.blobs]
        with Lease(root, "x") as lease:
            lease.keep([f"sha256:{prefixes[0]}{'0' * 63}"])
            why(root, prefixes[0])


def test_a_blob_without_a_row_and_old_leftovers_are_swept_but_not_what_is_in_the_making(root: Root) -> None:
    orphan, making = Digest.of(b"orphan"), Digest.of(b"making")
    with root.blobs.ingest(orphan) as ingest:
        ingest.write(b"orphan")
        ingest.commit()
    with root.blobs.ingest(Digest.of(b"never finished")) as ingest:
        ingest.write(b"never")
    old = time.time() - 30 * 86_400
    for name in os.listdir(f"{root.path}/ingest"):
        os.utime(f"{root.path}/ingest/{name}", (old, old))
    Path(root.tmp, "forgotten").mkdir()
    Path(root.tmp, "forgotten", "file").write_bytes(b"x")
    os.utime(f"{root.tmp}/forgotten", (old, old))
    Path(root.tmp, "fresh").touch()
    Path(root.tmp, "held").touch()
    Path(root.tmp, "link").symlink_to("/nowhere")
    os.utime(f"{root.tmp}/held", (old, old))
    os.utime(f"{root.tmp}/link", (old, old), follow_symlinks=False)
    with root.blobs.ingest(making) as ingest:
        ingest.write(b"making")
        ingest.commit()  # visible, and its row is not written yet
        with Lock(f"{root.tmp}/held"):
            report = collect(root)
        Content(root).register(making, 6, "text/plain")
    assert sorted(name.split("/")[0] for name, _ in report.strays) == ["blobs", "ingest", "tmp", "tmp"]
    assert set(root.blobs) == {making}
    assert os.listdir(f"{root.path}/ingest") == []
    assert sorted(os.listdir(root.tmp)) == ["fresh", "held"]


def test_what_is_mounted_among_the_temporary_files_is_left_alone(root: Root) -> None:
    inside = Path(root.tmp, "probe", "mounted")
    inside.mkdir(parents=True)
    old = time.time() - 30 * 86_400
    with small_disk(Path(root.tmp, "view"), "1m") as top, small_disk(inside, "1m"):
        for place in (top, inside):
            (place / "precious").touch()
            os.utime(place, (old, old))
        os.utime(inside.parent, (old, old))
        collect(root)
        assert (top / "precious").exists()
        assert (inside / "precious").exists()
    os.utime(inside.parent, (old, old))
    collect(root)
    assert not inside.parent.exists()


def test_a_recent_partial_download_stays_unless_it_is_asked_for(root: Root) -> None:
    with root.blobs.ingest(Digest.of(b"never finished")) as ingest:
        ingest.write(b"never")
    assert collect(root).strays == []
    with root.blobs.ingest(Digest.of(b"being written")) as ingest:
        ingest.write(b"being")
        assert len(collect(root, partials_older=0).strays) == 1
        assert len(os.listdir(f"{root.path}/ingest")) == 1


def churn(root: Root, seed: int, until: float) -> None:
    """Make, tag and remove images that share layers with those of the others, as fast as it goes."""
    rng = random.Random(seed)
    layers = [bytes([number]) * 20_000 for number in range(6)]
    while time.monotonic() < until:
        name = f"app{rng.randrange(4)}"
        chosen = rng.sample(layers, 3)
        image = make_image(root, name, *chosen)
        content = Content(root)
        for layer in chosen:
            with Lease(root, "use") as lease:
                lease.keep([Digest.of(layer)])
                if content.has(Digest.of(layer)):
                    assert root.blobs.read(Digest.of(layer), 1 << 20) == layer
        if rng.random() < 0.7:
            with root.transaction() as db:
                remove_image(db, image.digest)


def test_collecting_while_others_pull_and_remove_never_takes_what_they_hold(root: Root) -> None:
    root.close()
    until = time.monotonic() + 4
    children = []
    for seed in range(5):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                if seed < 3:
                    churn(root, seed, until)
                else:
                    while time.monotonic() < until:
                        collect(root)
                        time.sleep(0.005)
                code = 0
            finally:
                os._exit(code)
        children.append(pid)
    time.sleep(1)
    os.kill(children[0], signal.SIGKILL)  # one of those who pull dies in the middle of it
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    assert codes == [-signal.SIGKILL, 0, 0, 0, 0]
    collect(root)
    assert_consistent(root.path)
    for row in root.db.execute("SELECT child FROM edge WHERE kind IN ('layer', 'config')").fetchall():
        assert root.blobs.size(row[0]) is not None


def test_a_full_store_can_still_delete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARDTACK_RUN", str(tmp_path / "run"))
    with small_disk(tmp_path / "disk", "16m") as disk:
        root = Root.open(str(disk / "root"))
        try:
            names = [f"app{number}" for number in range(40)]
            for name in names:
                make_image(root, name, name.encode() * 10_000)
            root.close()  # so that the next change, and even reading, needs room of its own
            fill(disk)
            assert os.statvfs(disk).f_bavail == 0
            for name in names:
                forget_image(root, name)
            report = collect(root)
            assert len(report.blobs) == 3 * len(names)
            assert os.statvfs(disk).f_bavail > 0
            assert os.path.exists(disk / "root" / "ballast")
            assert_consistent(disk / "root")
        finally:
            root.close()


def test_a_blob_that_is_taken_in_again_between_the_rows_and_the_files_stays(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_image(root, "app", b"wanted again")
    forget_image(root, "app")
    original = collect_module.remove_blob

    def meanwhile(inside: Root, digest: Digest) -> int | None:
        if digest == Digest.of(b"wanted again"):
            Content(inside).put(b"wanted again", mediatypes.OCI_LAYER, None)
        return original(inside, digest)

    monkeypatch.setattr(collect_module, "remove_blob", meanwhile)
    report = collect(root)
    assert Digest.of(b"wanted again") not in {digest for digest, _ in report.blobs}
    assert Content(root).has(Digest.of(b"wanted again"))
    assert_consistent(root.path)
