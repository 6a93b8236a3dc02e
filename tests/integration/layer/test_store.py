"""Layers come whole or not at all, whoever else is at it and whenever somebody dies."""

from __future__ import annotations

import gzip
import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from hardtack.oci.digest import Digest
from hardtack.store.errors import StoreFull
from hardtack.store.layer import LayerStore
from hardtack.store.layer.errors import DiffMismatch, DriverUnusable, LayerTooLarge, LayerUnknown
from hardtack.store.layer.member import Limits
from hardtack.store.layer.probe import try_upper
from hardtack.store.layer.writer import Layer
from hardtack.store.lease import Lease
from hardtack.store.root import Root
from support.disks import small_disk
from support.rawtar import directory, file, hardlink, symlink, tar

StoreTar = Callable[[bytes], Layer]

TAR = tar(directory(b"d"), file(b"d/f", b"1" * 5000), symlink(b"l", b"d"), hardlink(b"h", b"d/f"), file(b".wh.w"))


def hidden(root: Root) -> list[str]:
    return [name for name in os.listdir(f"{root.path}/layers") if name.startswith(".")]


def test_a_layer_is_there_after_its_commit_and_not_before(layers: LayerStore, root: Root, lease: Lease) -> None:
    diff_id = Digest.of(TAR)
    with layers.writer(diff_id) as writer:
        writer.write(TAR)
        assert not layers.has(diff_id)
        layer = writer.commit(lease)
    assert layers.has(diff_id)
    assert (layer.diff_id, layer.files, layer.content) == (diff_id, 5, 5000)
    with layers.writer(diff_id) as again:  # the first one stays, and is told in full
        again.write(TAR)
        assert again.commit(lease).content == 5000
    assert layers.sizes([diff_id]) == [layer.size]
    taken = sum(os.lstat(os.path.join(where, name)).st_blocks * 512
                for where, folders, names in os.walk(layers.path(diff_id)) for name in [*names, *folders])  # fmt: skip
    taken -= 8192 if layers.driver == "overlay" else 0  # the hard link's second name: 5,000 bytes counted twice
    assert abs(layer.size - taken - os.lstat(layers.path(diff_id)).st_blocks * 512) <= 4096
    assert root.db.execute("SELECT holder FROM keep WHERE digest = ?", (diff_id,)).fetchall() == [(lease.holder,)]
    assert hidden(root) == []


def test_bytes_of_another_layer_are_refused(layers: LayerStore, root: Root) -> None:
    with layers.writer(Digest.of(b"other")) as writer:
        writer.write(TAR)
        with pytest.raises(DiffMismatch):
            writer.commit(None)
    assert hidden(root) == []
    assert not layers.has(Digest.of(TAR))


def test_an_aborted_layer_leaves_nothing(layers: LayerStore, root: Root) -> None:
    writer = layers.writer(None)
    writer.write(TAR[:1000])
    assert len(hidden(root)) == 1
    writer.abort()
    writer.abort()
    assert hidden(root) == []


def test_sha512_names_a_layer_as_well(layers: LayerStore) -> None:
    expected = Digest(f"sha512:{hashlib.sha512(TAR).hexdigest()}")
    with layers.writer(expected) as writer:
        writer.write(TAR)
        assert writer.commit(None).diff_id == expected
    assert layers.has(expected)


def test_of_several_writers_of_one_layer_the_first_wins_and_all_succeed(layers: LayerStore, root: Root) -> None:
    results: list[Layer] = []
    barrier = threading.Barrier(4)

    def write() -> None:
        with Lease(root, "one of four") as lease, layers.writer(None) as writer:
            writer.write(TAR)
            barrier.wait()
            results.append(writer.commit(lease))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({(layer.diff_id, layer.size) for layer in results}) == 1
    assert len(results) == 4
    assert hidden(root) == []


_DYING = """
import os, signal, sys
from hardtack.store.layer import LayerStore
from hardtack.store.root import Root
writer = LayerStore(Root.open()).writer(None)
writer.write(sys.stdin.buffer.read())
print("written", flush=True)
signal.pause()
"""


def test_a_writer_that_is_killed_is_swept_and_a_living_one_is_not(layers: LayerStore, root: Root) -> None:
    dying = subprocess.Popen([sys.executable, "-c", _DYING], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert dying.stdin is not None and dying.stdout is not None
    dying.stdin.write(TAR[:2048])
    dying.stdin.close()
    assert dying.stdout.readline() == b"written\n"
    with layers.writer(None) as living:
        living.write(TAR)
        assert list(layers.sweep()) == []
        assert len(hidden(root)) == 2
        dying.send_signal(signal.SIGKILL)
        dying.wait()
        swept = list(layers.sweep())
        assert len(swept) == 1 and swept[0][1] > 0
        layer = living.commit(None)
    assert layers.has(layer.diff_id)
    dying.stdout.close()


def test_files_without_a_row_are_swept_and_a_row_without_files_is_no_layer(
    layers: LayerStore, store_tar: StoreTar, root: Root
) -> None:
    kept, lost = store_tar(TAR), store_tar(tar(file(b"other")))
    root.db.execute("DELETE FROM layer WHERE diff_id = ?", (lost.diff_id,))
    assert [name for name, _ in layers.sweep()] == [f"layers/sha256/{lost.diff_id.hex}"]
    assert layers.has(kept.diff_id) and not os.path.exists(layers.path(lost.diff_id))
    os.rename(layers.path(kept.diff_id), f"{root.tmp}/away")
    assert not layers.has(kept.diff_id)
    assert store_tar(TAR).diff_id == kept.diff_id
    assert layers.has(kept.diff_id)


def test_files_that_a_death_left_in_the_way_are_replaced(layers: LayerStore, store_tar: StoreTar, root: Root) -> None:
    os.makedirs(f"{layers.path(Digest.of(TAR))}/fs/rubbish")
    layer = store_tar(TAR)
    assert layers.has(layer.diff_id)
    assert not os.path.exists(f"{layers.path(layer.diff_id)}/fs/rubbish")
    assert hidden(root) == []


def test_a_layer_goes_only_when_its_row_is_gone(layers: LayerStore, store_tar: StoreTar, root: Root) -> None:
    layer = store_tar(TAR)
    assert not layers.remove(layer.diff_id)
    root.db.execute("DELETE FROM layer")
    assert layers.remove(layer.diff_id)
    assert not layers.remove(layer.diff_id)
    assert os.listdir(f"{root.path}/layers/sha256") == [] and hidden(root) == []


def test_a_very_deep_tree_comes_and_goes(layers: LayerStore, store_tar: StoreTar, root: Root) -> None:
    from support.rawtar import pax

    deep = b"/".join([b"d"] * 500)
    members = [symlink(b"s", deep), directory(b"s")]  # a link, then many more levels through links
    members = [pax((b"path", deep + b"/f")) + file(b"x", b"1"), pax((b"linkpath", deep)) + symlink(b"s", b"x")]
    members += [pax((b"path", b"s/" + deep + b"/g")) + file(b"x", b"2")]
    layer = store_tar(tar(*members))
    assert layers.has(layer.diff_id)
    root.db.execute("DELETE FROM layer")
    assert layers.remove(layer.diff_id)
    assert hidden(root) == []


def test_a_full_disk_is_said_and_leaves_nothing(driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_disk(tmp_path / "disk", "8m") as disk:
        monkeypatch.setenv("HARDTACK_RUN", str(tmp_path / "run"))
        root = Root.open(str(disk / "root"))
        try:
            before = os.statvfs(disk).f_bfree
            with LayerStore(root).writer(None) as writer, pytest.raises(StoreFull):
                writer.write(tar(file(b"big", os.urandom(9 << 20))))
            assert hidden(root) == []
            assert abs(os.statvfs(disk).f_bfree - before) < 100
        finally:
            root.close()
    assert driver


def test_limits_stop_a_hostile_layer(layers: LayerStore, root: Root) -> None:
    with layers.writer(None, Limits(members=3)) as writer, pytest.raises(LayerTooLarge, match="3 members"):
        writer.write(TAR)
    assert hidden(root) == []


def test_the_tar_comes_back_byte_for_byte(layers: LayerStore, store_tar: StoreTar, root: Root, lease: Lease) -> None:
    layer = store_tar(TAR)
    if layers.driver == "overlay":
        with pytest.raises(LayerUnknown):
            layers.open_tar(layer.diff_id)
        blob = gzip.compress(TAR)
        digest = Digest.of(blob)
        with root.blobs.ingest(digest, len(blob)) as ingest:
            ingest.write(blob)
            ingest.commit()
        root.db.execute("INSERT INTO diff VALUES (?, ?)", (digest, layer.diff_id))
    with layers.open_tar(layer.diff_id) as file:
        assert file.read(10) == TAR[:10]
        assert file.read() == TAR[10:]
    with pytest.raises(LayerUnknown):
        layers.open_tar(Digest.of(b"other"))
    assert lease.id


def test_a_listing_names_what_is_in_a_layer(layers: LayerStore, store_tar: StoreTar) -> None:
    found = {m.path: m for m in layers.listing(store_tar(TAR).diff_id)}
    assert {path: m.kind for path, m in found.items() if path} == {
        b"d": "d", b"d/f": "f" if layers.driver == "erofs" else "h", b"l": "l", b"w": "w",
        b"h": "h" if layers.driver == "erofs" else "f",
    }  # fmt: skip
    assert found[b"l"].link == b"d"
    assert max(m.size for m in found.values()) == 5000
    assert list(layers.listing(store_tar(b"").diff_id))[1:] == []


def test_a_driver_that_does_not_exist_or_work_is_said(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARDTACK_LAYERS", "zfs")
    with pytest.raises(DriverUnusable, match="no such driver"):
        _ = LayerStore(root).driver
    monkeypatch.setenv("HARDTACK_LAYERS", "")
    assert LayerStore(root).choice.reason
    assert os.listdir(root.tmp) == []


def test_a_root_on_an_overlay_says_that_it_cannot_carry_changes(
    store_tar: StoreTar, stack: Callable[..., object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    low = store_tar(tar(directory(b"d")))
    with stack(low.diff_id, upper=True) as top:  # type: ignore[attr-defined]
        monkeypatch.setenv("HARDTACK_RUN", str(tmp_path / "run2"))
        inner = Root.open(f"{top}/root")
        try:
            assert try_upper(inner)
        finally:
            inner.close()
