"""Layers over layers: what a container sees, and how mounts are shared and taken down."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hardtack.linux import mount as mounts
from hardtack.oci.digest import Digest
from hardtack.store.layer import LayerStore, kernel, mounting
from hardtack.store.layer.erofs.image import ImageWriter
from hardtack.store.layer.errors import LayerUnknown, MountFailed
from hardtack.store.layer.member import FILE, Member
from hardtack.store.layer.tree import Tree
from hardtack.store.layer.writer import Layer
from hardtack.store.root import Root
from support.disks import small_disk
from support.rawtar import directory, file, tar
from support.trees import snapshot
from support.world import mounts_below

StoreTar = Callable[[bytes], Layer]
Stack = Callable[..., "object"]


def visible(top: Path) -> list[str]:
    return sorted(os.fsdecode(name) for name in snapshot(top) if name != b".")


def test_upper_layers_cover_hide_and_empty_lower_ones(store_tar: StoreTar, stack: Stack) -> None:
    low = store_tar(
        tar(
            *(file(b"%s" % name, b"low") for name in (b"kept", b"covered", b"gone", b"d/kept", b"d/gone")),
            *(file(b"%s" % name, b"low") for name in (b"emptied/a", b"emptied/b", b"replaced/a", b"turned/a")),
        )
    )
    high = store_tar(
        tar(
            file(b"covered", b"high"),
            file(b".wh.gone"),
            file(b"d/.wh.gone"),
            file(b"emptied/.wh..wh..opq"),
            file(b"emptied/c", b"high"),
            file(b".wh.replaced"),
            directory(b"replaced"),
            file(b"replaced/b", b"high"),
            file(b"turned", b"now a file"),
        )
    )
    with stack(low.diff_id, high.diff_id) as top:
        assert visible(top) == [
            "covered", "d", "d/kept", "emptied", "emptied/c", "kept", "replaced", "replaced/b", "turned",
        ]  # fmt: skip
        assert (top / "covered").read_text() == "high"
        with pytest.raises(OSError) as caught:
            (top / "new").write_text("x")
        assert caught.value.errno == errno.EROFS


def test_a_layer_with_an_opaque_root_hides_everything_below(store_tar: StoreTar, stack: Stack) -> None:
    low = store_tar(tar(file(b"low")))
    middle = store_tar(tar(file(b".wh..wh..opq"), file(b"middle")))
    high = store_tar(tar(file(b"high")))
    with stack(low.diff_id, middle.diff_id, high.diff_id) as top:
        assert visible(top) == ["high", "middle"]
    with stack(low.diff_id, middle.diff_id) as top:
        assert visible(top) == ["middle"]


def test_a_layer_may_occur_twice_and_no_layer_is_an_empty_root(store_tar: StoreTar, stack: Stack) -> None:
    one = store_tar(tar(file(b"a", b"1"), file(b"b", b"1")))
    two = store_tar(tar(file(b"a", b"2"), file(b".wh.b")))
    with stack(one.diff_id, two.diff_id, one.diff_id) as top:
        assert (top / "a").read_text() == "1"
        assert (top / "b").read_text() == "1"
    with stack(one.diff_id, one.diff_id) as top:
        assert visible(top) == ["a", "b"]
    with stack() as top:
        assert visible(top) == []


@pytest.mark.parametrize("volatile", [False, True])
def test_changes_go_to_the_upper_directory(volatile: bool, store_tar: StoreTar, stack: Stack, tmp_path: Path) -> None:
    low = store_tar(tar(file(b"bin/tool", b"#!", mode=0o755), file(b"gone", b"1")))
    with stack(low.diff_id, upper=True, volatile=volatile) as top:
        (top / "new").write_text("x")
        (top / "gone").unlink()
        (top / "bin" / "tool").write_text("changed")
        assert visible(top) == ["bin", "bin/tool", "new"]
        # One file system, whichever layer a file comes from: what --one-file-system and find -xdev rely on.
        assert len({os.lstat(path).st_dev for path in (top, top / "new", top / "bin", top / "bin" / "tool")}) == 1
    upper = next(tmp_path.glob("*-upper"))
    assert sorted(os.listdir(upper)) == ["bin", "gone", "new"]
    if not volatile:
        work = next(tmp_path.glob("*-work"))
        target = tmp_path / "again"
        target.mkdir()
        store = LayerStore(Root.open())
        store.mount([low.diff_id], str(target), str(upper), str(work), holder="again")
        try:
            assert visible(target) == ["bin", "bin/tool", "new"]
        finally:
            mounts.umount(str(target))
            store.release("again")


@pytest.mark.parametrize("count", [10, 150])
def test_many_layers_stack(count: int, store_tar: StoreTar, stack: Stack, layers: LayerStore) -> None:
    made = [store_tar(tar(file(b"%d" % n, b"x"), file(b"last", b"%d" % n))).diff_id for n in range(count)]
    with stack(*made) as top:
        assert len(os.listdir(top)) == count + 1
        assert (top / "last").read_text() == str(count - 1)
        assert (top / "0").read_text() == "x"
    assert [m for m in mounts_below(layers.root.run) if "layers" in m] == []


def test_many_layers_stack_on_a_kernel_without_one_option_per_layer(
    store_tar: StoreTar, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EINVAL, "unknown option")

    made = [store_tar(tar(file(b"%d" % n))).diff_id for n in range(130)]
    monkeypatch.setattr(mounts, "create", refuse)
    with stack(*made, upper=True) as top:
        assert len(os.listdir(top)) == 130
        (top / "new").write_text("x")


def test_a_root_with_a_long_name_full_of_separators_works(
    driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / ("a,b:c\\d e" + "x" * 150) / ("y" * 100)
    monkeypatch.setenv("HARDTACK_RUN", str(base / "run"))
    root = Root.open(str(base / "root"))
    try:
        store = LayerStore(root)
        made = []
        for name in (b"one", b"two"):
            with store.writer(None) as writer:
                writer.write(tar(file(name, b"1")))
                made.append(writer.commit(None).diff_id)
        for place in ("top", "upper", "work"):
            (base / place).mkdir()
        store.mount(made, str(base / "top"), str(base / "upper"), str(base / "work"), holder="x")
        assert sorted(os.listdir(base / "top")) == ["one", "two"]
        mounts.umount(str(base / "top"))
        store.release("x")
        assert mounts_below(base) == []
    finally:
        root.close()
    assert driver


def test_a_layer_is_mounted_once_and_goes_with_its_last_user(
    store_tar: StoreTar, layers: LayerStore, tmp_path: Path
) -> None:
    made = store_tar(tar(file(b"a", b"1")))
    for name in ("one", "two/with a slash"):
        (tmp_path / name[:3]).mkdir()
        layers.mount([made.diff_id], str(tmp_path / name[:3]), holder=name)
    assert sorted(layers.holders(made.diff_id)) == ["one", "two/with a slash"]
    shared = [point for point in mounts_below(layers.root.run) if point.endswith("/fs")]
    assert len(shared) == (1 if layers.driver == "erofs" else 0)
    mounts.umount(str(tmp_path / "one"))
    layers.release("one")
    assert layers.holders(made.diff_id) == ["two/with a slash"]
    assert (tmp_path / "two" / "a").read_text() == "1"
    assert not layers.remove(made.diff_id)
    mounts.umount(str(tmp_path / "two"))
    layers.release("two/with a slash")
    layers.release("two/with a slash")
    assert mounts_below(layers.root.run) == []
    assert [name for name in os.listdir(f"{layers.root.run}/layers") if not name.startswith("empty")] == []


def test_a_mount_that_fails_leaves_nothing(store_tar: StoreTar, layers: LayerStore, tmp_path: Path) -> None:
    made = store_tar(tar(file(b"a")))
    with pytest.raises(MountFailed, match="no such file"):
        layers.mount([made.diff_id], str(tmp_path / "not-there"), holder="x")
    with pytest.raises(LayerUnknown):
        layers.mount([made.diff_id, Digest.of(b"other")], str(tmp_path), holder="x")
    assert layers.holders(made.diff_id) == []
    assert mounts_below(layers.root.run) == []


def test_holders_that_died_are_reconciled(store_tar: StoreTar, layers: LayerStore, tmp_path: Path) -> None:
    made = store_tar(tar(file(b"a")))
    for name in ("dead", "alive"):
        (tmp_path / name).mkdir()
        layers.mount([made.diff_id], str(tmp_path / name), holder=name)
    mounts.umount(str(tmp_path / "dead"))
    assert layers.reconcile(lambda holder: holder == "alive") == ["dead"]
    assert layers.holders(made.diff_id) == ["alive"]
    assert (tmp_path / "alive" / "a").exists()


def test_starts_and_ends_at_once_do_not_disturb_each_other(
    store_tar: StoreTar, layers: LayerStore, tmp_path: Path
) -> None:
    made = [store_tar(tar(file(b"%d" % n, b"x"))).diff_id for n in range(3)]
    failures: list[BaseException] = []

    def live(number: int) -> None:
        target = tmp_path / f"t{number}"
        target.mkdir()
        try:
            for turn in range(15):
                layers.mount(made, str(target), holder=f"h{number}.{turn}")
                assert sorted(os.listdir(target)) == ["0", "1", "2"]
                assert (target / "1").read_text() == "x"
                mounts.umount(str(target), mounts.MNT_DETACH)
                layers.release(f"h{number}.{turn}")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=live, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert mounts_below(layers.root.run) == []


def test_layers_of_both_drivers_share_a_stack(root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for name in ("erofs", "overlay", "erofs"):
        monkeypatch.setenv("HARDTACK_LAYERS", name)
        with LayerStore(root).writer(None) as writer:
            writer.write(tar(file(b"from-%s-%d" % (name.encode(), len(made)), b"1")))
            made.append(writer.commit(None).diff_id)
    store = LayerStore(root)
    (tmp_path / "top").mkdir()
    store.mount(made, str(tmp_path / "top"), holder="x")
    assert sorted(os.listdir(tmp_path / "top")) == ["from-erofs-0", "from-erofs-2", "from-overlay-1"]
    mounts.umount(str(tmp_path / "top"))
    store.release("x")


def test_an_index_can_be_mounted_by_loop_devices(root: Root, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARDTACK_LAYERS", "erofs")
    store = LayerStore(root)
    with store.writer(None) as writer:
        writer.write(tar(file(b"a", b"content" * 1000)))
        made = writer.commit(None)
    path = mounting.layer_path(root, made.diff_id)
    try:
        kernel.mount_erofs_by_loop(made.diff_id, f"{path}/index", f"{path}/tar", str(tmp_path))
    except MountFailed as error:
        pytest.skip(f"no loop devices here: {error}")
    used = [m.source for m in mounts.mounts(str(tmp_path))]
    assert used[0].startswith("/dev/loop")
    assert (tmp_path / "a").read_bytes() == b"content" * 1000
    mounts.umount(str(tmp_path))
    deadline = time.monotonic() + 5
    while Path(f"/sys/block/{used[0][5:]}/loop/backing_file").exists() and time.monotonic() < deadline:
        time.sleep(0.01)  # the kernel clears it a moment after the last user
    assert path not in subprocess.run(["losetup", "-a"], capture_output=True, text=True, check=True).stdout


def test_mounting_imports_nothing_that_slows_a_start(root: Root) -> None:
    code = (
        "import sys; import hardtack.linux.mount, hardtack.store.layer, hardtack.store.layer.mounting;"
        "bad = {'re', 'enum', 'json', 'typing', 'collections', 'contextlib', 'pathlib', 'subprocess', 'tempfile',"
        " 'shutil', 'threading', 'socket', 'functools', 'hashlib', 'random', 'datetime', 'dataclasses', 'logging'};"
        "print(sorted(bad & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-S", "-I", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout.strip() == "[]"
    assert root.id


def test_a_root_on_a_memory_disk_works(driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EROFS cannot be mounted from files of a tmpfs: loop devices step in."""
    with small_disk(tmp_path / "disk", "32m") as disk:
        monkeypatch.setenv("HARDTACK_RUN", str(disk / "run"))
        root = Root.open(str(disk / "root"))
        try:
            store = LayerStore(root)
            assert store.driver == driver
            made = []
            for name in (b"one", b"two", b"three"):
                with store.writer(None) as writer:
                    writer.write(tar(file(name, name * 1000)))
                    made.append(writer.commit(None).diff_id)
            for place in ("top", "upper", "work"):
                (disk / place).mkdir()
            store.mount(made, str(disk / "top"), str(disk / "upper"), str(disk / "work"), holder="x")
            assert sorted(os.listdir(disk / "top")) == ["one", "three", "two"]
            assert (disk / "top" / "three").read_bytes() == b"three" * 1000
            mounts.umount(str(disk / "top"))
            store.release("x")
            assert mounts_below(disk / "root") == mounts_below(disk / "run") == []
        finally:
            root.close()


def test_a_file_beyond_four_gibibytes_is_read_at_its_end(tmp_path: Path) -> None:
    size = (5 << 30) + 123
    (tmp_path / "layer").mkdir()
    with open(tmp_path / "layer" / "tar", "wb") as out:
        out.truncate(512 + size + -size % 512)
        out.seek(512 + size - 3)
        out.write(b"end")
    tree = Tree()
    tree.add(Member(FILE, b"huge", size=size, offset=512))
    image = ImageWriter(tree.root, 512 + size, lambda offset, length: b"")
    (tmp_path / "layer" / "index").write_bytes(b"".join(image.pieces("00" * 32)))
    (tmp_path / "fs").mkdir()
    kernel.mount_erofs("sha256:test", str(tmp_path / "layer"), str(tmp_path / "fs"))
    try:
        with open(tmp_path / "fs" / "huge", "rb") as huge:
            assert huge.seek(0, os.SEEK_END) == size
            huge.seek(size - 5)
            assert huge.read() == b"\0\0end"
    finally:
        mounts.umount(str(tmp_path / "fs"))


_MAPPED = """
import os, sys
from hardtack.linux import mount as mounts
from hardtack.store.layer import LayerStore
from hardtack.store.root import Root
store = LayerStore(Root.open())
print(store.driver)
made = []
for name in sys.argv[1:3]:
    with store.writer(None) as writer:
        writer.write(open(name, "rb").read())
        made.append(writer.commit(None).diff_id)
for place in ("top", "upper", "work"):
    os.mkdir(place)
store.mount(made, "top", "upper", "work", holder="x")
print(sorted(os.listdir("top")), sorted(os.listdir("top/d")))
os.mkdir("top/fresh")
mounts.umount("top")
store.release("x")
print([repr(change) for change in store.changes("upper", made)])
"""


def test_a_user_who_is_mapped_to_root_stacks_unpacked_layers(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "low.tar").write_bytes(tar(file(b"kept", b"1"), file(b"gone", b"1"), file(b"d/low", b"1")))
    (work / "high.tar").write_bytes(tar(file(b".wh.gone"), file(b"d/.wh..wh..opq"), file(b"d/high", b"1")))
    environment = {
        **os.environ,
        "HARDTACK_ROOT": str(work / "root"),
        "HARDTACK_RUN": str(work / "run"),
        "HARDTACK_LAYERS": "",
        "PYTHONPATH": ":".join(path for path in sys.path if path),
    }
    command = ["unshare", "-U", "-m", "--map-root-user"]
    done = subprocess.run(
        [*command, sys.executable, "-c", _MAPPED, "low.tar", "high.tar"],
        cwd=work, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.stderr.startswith("unshare"):
        pytest.skip(f"no user namespaces here: {done.stderr.strip()[-200:]}")
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["overlay", "['d', 'kept'] ['high']", "['A /fresh']"]
