"""A tar, or the changes of a container, become a blob and a layer in one pass."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hardtack.oci.digest import Digest
from hardtack.store.layer import LayerStore
from hardtack.store.layer.errors import BadTar
from hardtack.store.layer.pack import pack
from hardtack.store.layer.tarstream import tar_chunks, tarstream
from hardtack.store.layer.writer import Layer
from hardtack.store.lease import Lease
from hardtack.store.root import Root
from support.rawtar import directory, file, symlink, tar
from support.trees import differences, hard_links, snapshot

Stack = Callable[..., "object"]
StoreTar = Callable[[bytes], Layer]

BASE = tar(
    *(file(b"%s" % name, b"low") for name in (b"kept", b"gone", b"d/kept", b"d/gone", b"emptied/a", b"replaced/a")),
    directory(b"dir", 0o750, uid=7),
    symlink(b"link", b"kept"),
)


def chunks(data: bytes, step: int = 100_000) -> list[bytes]:
    return [data[i : i + step] for i in range(0, len(data), step)]


@pytest.mark.parametrize("size", [10, 900_000, 3 << 20])
def test_blob_and_layer_are_of_one_tar(size: int, layers: LayerStore, root: Root, lease: Lease) -> None:
    data = tar(file(b"f", os.urandom(size)), file(b"g", b"g" * size))
    descriptor, layer = pack(layers, chunks(data), lease)
    blob = root.blobs.read(descriptor.digest, 1 << 30)
    assert gzip.decompress(blob) == data
    assert subprocess.run(["gzip", "-t"], input=blob, check=True).returncode == 0
    assert descriptor.size == len(blob) and layer.diff_id == Digest.of(data)
    assert root.db.execute("SELECT diff_id FROM diff WHERE blob = ?", (descriptor.digest,)).fetchall() == [
        (layer.diff_id,)
    ]
    kept = {row[0] for row in root.db.execute("SELECT digest FROM keep WHERE holder = ?", (lease.holder,))}
    assert kept == {descriptor.digest, layer.diff_id}
    assert os.listdir(root.tmp) == []


def test_the_same_tar_gives_the_same_blob_however_it_is_cut(layers: LayerStore) -> None:
    data = tar(file(b"f", bytes(range(256)) * 15_000))
    found = {pack(layers, chunks(data, step), None)[0].digest for step in (1000, 1 << 20, (1 << 20) + 1, 1 << 24)}
    assert len(found) == 1


def test_a_bad_tar_leaves_neither_blob_nor_layer(layers: LayerStore, root: Root) -> None:
    with pytest.raises(BadTar):
        pack(layers, [tar(file(b"../x", b"1"))], None)
    with pytest.raises(RuntimeError):
        pack(layers, _failing(), None)
    assert list(root.blobs) == [] and os.listdir(root.tmp) == []
    assert not [name for name in os.listdir(f"{root.path}/layers") if name.startswith(".")]


def _failing() -> object:
    yield tar(file(b"f", os.urandom(3 << 20)))[: 2 << 20]
    raise RuntimeError("the context went away")


def change(top: Path) -> None:
    """Everything that a container may do to its root."""
    (top / "gone").unlink()
    (top / "d" / "gone").unlink()
    subprocess.run(["rm", "-r", str(top / "emptied"), str(top / "replaced")], check=True)
    (top / "emptied").mkdir()
    (top / "emptied" / "b").write_text("new")
    (top / "replaced").write_text("a file now")
    (top / "new" / "deep").mkdir(parents=True)
    (top / "new" / "deep" / ("n" * 200)).write_text("long")
    (top / "new" / "ü\udcff").write_text("odd")
    (top / "hard1").write_bytes(os.urandom(70_000))
    os.link(top / "hard1", top / "new" / "hard2")
    os.symlink("t" * 300, top / "long-link")
    os.mknod(top / "null", 0o20666, os.makedev(1, 3))
    os.mkfifo(top / "pipe", 0o640)
    os.chown(top / "kept", 3_000_000, 70_000)
    os.chmod(top / "kept", 0o4711)
    os.setxattr(top / "kept", "user.note", b"\0\n=")
    os.setxattr(top / "kept", "security.capability", bytes.fromhex("0100000202000000000000000000000000000000"))
    os.chmod(top / "dir", 0o2770)
    os.utime(top / "dir", (5, 5))
    os.chmod(top, 0o711)
    with open(top / "sparse", "wb") as file:
        file.truncate(3 << 20)
        file.seek(1 << 20)
        file.write(b"in the middle")


def whole_seconds(tree: dict[bytes, dict[str, object]]) -> dict[bytes, dict[str, object]]:
    for found in tree.values():
        found["mtime"] = int(found["mtime"]) // 10**9  # type: ignore[call-overload]
    tree[b"."].pop("mtime")
    return tree


@pytest.mark.parametrize("told", [True, False], ids=["told what is below", "alone"])
def test_an_upper_directory_becomes_a_layer_that_does_the_same(
    told: bool, layers: LayerStore, store_tar: StoreTar, stack: Stack, lease: Lease, tmp_path: Path
) -> None:
    base = store_tar(BASE)
    with stack(base.diff_id, upper=True) as top:  # type: ignore[attr-defined]
        change(top)
        expected, links = snapshot(top), hard_links(top)
    upper = next(tmp_path.glob("*-upper"))
    descriptor, layer = layers.adopt_upper(str(upper), lease, below=[base.diff_id] if told else ())
    with stack(base.diff_id, layer.diff_id) as top:  # type: ignore[attr-defined]
        assert differences(whole_seconds(snapshot(top)), whole_seconds(expected)) == []
        assert hard_links(top) == links
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layers.root.blobs.read(descriptor.digest, 1 << 30)))) as t:
        names = t.getnames()
    assert "emptied/.wh..wh..opq" in names
    assert ("new/.wh..wh..opq" in names) != told
    assert {".wh.gone", "d/.wh.gone", "replaced"} <= set(names)
    assert "." in names
    assert layers.adopt_upper(str(upper), lease, below=[base.diff_id] if told else ())[0].digest == descriptor.digest
    assert os.listdir(layers.root.tmp) == []


def test_times_are_clamped_and_sockets_left_out(tmp_path: Path) -> None:
    upper = tmp_path / "upper"
    upper.mkdir()
    (upper / "new").write_text("x")
    (upper / "old").write_text("x")
    os.utime(upper / "old", (1000, 1000))
    os.utime(upper / "new", (2_000_000, 2_000_000))
    os.mknod(upper / "socket", 0o140600)
    out = io.BytesIO()
    tarstream(str(upper), out, clamp=5000)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as found:
        assert {m.name: m.mtime for m in found} == {"new": 5000, "old": 1000}
    assert len(out.getvalue()) % 512 == 0


def test_an_empty_upper_directory_is_an_empty_tar(tmp_path: Path) -> None:
    upper = tmp_path / "upper"
    upper.mkdir()
    upper.chmod(0o755)
    assert b"".join(tar_chunks(str(upper))) == bytes(1024)


def test_numbers_that_no_field_holds_survive(
    store_tar: StoreTar, tree_of: Callable[[Layer], str], tmp_path: Path
) -> None:
    upper = tmp_path / "upper"
    upper.mkdir()
    upper.chmod(0o755)
    for name, when in (("past", -100_000), ("future", 9_000_000_000)):
        (upper / name).write_text("x")
        os.chown(upper / name, 4_000_000_000, 3_000_000)
        os.utime(upper / name, (when, when))
    deep = upper / ("a" * 200) / ("b" * 200) / ("c" * 50)
    deep.mkdir(parents=True)
    (deep / ("f" * 250)).write_text("x")
    found, wanted = snapshot(tree_of(store_tar(b"".join(tar_chunks(str(upper)))))), snapshot(upper)
    assert differences(whole_seconds(found), whole_seconds(wanted)) == []


def test_a_small_commit_is_quick(layers: LayerStore, lease: Lease, tmp_path: Path) -> None:
    """A build commits once a step. The figure is for a memory disk; here it only has to be no disaster."""
    upper = tmp_path / "upper"
    upper.mkdir()
    times = []
    for turn in range(8):
        (upper / f"f{turn}").write_text("x" * turn)
        begin = time.perf_counter()
        layers.adopt_upper(str(upper), lease)
        times.append(time.perf_counter() - begin)
    assert min(times) < 0.25
