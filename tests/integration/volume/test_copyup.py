"""An empty volume begins with what the image has there. Each test costs some milliseconds."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from hardtack.volume import copyup
from hardtack.volume.copyup import fill
from hardtack.volume.errors import CopyUpFailed

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: owners and devices")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A root file system and an empty volume beside it."""
    (tmp_path / "rootfs/data").mkdir(parents=True)
    (tmp_path / "volume/_data").mkdir(parents=True)
    return tmp_path


def filled(place: Path, target: str = "/data") -> bool:
    return fill(str(place / "volume"), "box", str(place / "rootfs"), target)


def test_everything_about_a_file_arrives(place: Path) -> None:
    source, copy = place / "rootfs/data", place / "volume/_data"
    (source / "sub").mkdir()
    (source / "sub/file").write_bytes(b"dough")
    os.chown(source / "sub/file", 1234, 4321)
    os.chmod(source / "sub/file", 0o4750)
    os.setxattr(source / "sub/file", "user.kind", b"recipe")
    os.utime(source / "sub/file", ns=(1_000_000_007, 2_000_000_009))
    os.symlink("/etc/shadow", source / "link")
    os.link(source / "sub/file", source / "again")
    os.mkfifo(source / "pipe", 0o640)
    os.chown(source, 33, 33)
    os.chmod(source, 0o2770)
    os.utime(source, ns=(5, 6))

    assert filled(place)

    status = os.lstat(copy / "sub/file")
    assert (copy / "sub/file").read_bytes() == b"dough"
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1234, 4321, 0o4750)
    assert status.st_mtime_ns == 2_000_000_009
    assert os.getxattr(copy / "sub/file", "user.kind") == b"recipe"
    assert os.lstat(copy / "again").st_ino == status.st_ino
    assert os.readlink(copy / "link") == "/etc/shadow"
    assert stat.S_ISFIFO(os.lstat(copy / "pipe").st_mode)
    top = os.stat(copy)
    assert (top.st_uid, stat.S_IMODE(top.st_mode), top.st_mtime_ns) == (33, 0o2770, 6)


def test_a_file_capability_survives_the_change_of_owner(place: Path) -> None:
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    program = place / "rootfs/data/ping"
    program.write_bytes(b"x")
    os.chown(program, 1, 1)
    os.setxattr(program, "security.capability", capability)
    assert filled(place)
    assert os.getxattr(place / "volume/_data/ping", "security.capability") == capability


def test_holes_stay_holes(place: Path) -> None:
    with open(place / "rootfs/data/sparse", "wb") as file:
        file.seek(1 << 40)
        file.write(b"end")
        file.truncate((1 << 40) + (1 << 30))
    assert filled(place)
    status = os.stat(place / "volume/_data/sparse")
    assert status.st_size == (1 << 40) + (1 << 30)
    assert status.st_blocks * 512 < 1 << 20


def test_devices_and_sockets_are_left_out(place: Path) -> None:
    os.mknod(place / "rootfs/data/disk", stat.S_IFBLK | 0o666, os.makedev(8, 0))
    os.mknod(place / "rootfs/data/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(place / "rootfs/data/socket", stat.S_IFSOCK | 0o666)
    os.link(place / "rootfs/data/disk", place / "rootfs/data/disk2")
    (place / "rootfs/data/file").touch()
    assert filled(place)
    assert os.listdir(place / "volume/_data") == ["file"]


def test_a_link_in_the_image_never_leads_out_of_it(place: Path) -> None:
    (place / "host").mkdir()
    (place / "host/secret").touch()
    os.symlink(place / "host", place / "rootfs/absolute")
    os.symlink("../../../../../../../" + str(place / "host"), place / "rootfs/relative")
    assert not filled(place, "/absolute")
    assert not filled(place, "/relative")
    os.symlink("/data", place / "rootfs/inside")
    (place / "rootfs/data/file").touch()
    assert filled(place, "/inside")
    assert os.listdir(place / "volume/_data") == ["file"]


def test_a_volume_that_holds_something_stays_as_it_is(place: Path) -> None:
    (place / "rootfs/data/file").touch()
    (place / "volume/_data/mine").touch()
    assert not filled(place)
    assert os.listdir(place / "volume/_data") == ["mine"]


def test_a_path_that_the_image_has_not_gives_an_empty_volume(place: Path) -> None:
    assert not filled(place, "/nowhere")


def test_a_file_at_that_path_is_an_error_with_its_reason(place: Path) -> None:
    (place / "rootfs/file").touch()
    with pytest.raises(CopyUpFailed, match="the image has a file there"):
        filled(place, "/file")


def test_a_copy_that_died_is_finished_by_the_next_start(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        (place / f"rootfs/data/{number}").write_bytes(b"x" * 1000)
    copied = []

    def dies(reader: int, writer: int, size: int) -> None:
        copied.append(size)
        if len(copied) == 3:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(copyup, "_data", dies)
        with pytest.raises(CopyUpFailed, match="no space left"):
            filled(place)
    assert filled(place)
    assert [os.stat(place / f"volume/_data/{number}").st_size for number in range(5)] == [1000] * 5
    assert all((place / f"volume/_data/{number}").read_bytes() == b"x" * 1000 for number in range(5))
    assert not filled(place)


def test_two_containers_that_start_at_once_fill_it_once(place: Path) -> None:
    for number in range(200):
        (place / f"rootfs/data/{number}").write_bytes(b"x" * 100)
    results: list[bool] = []
    threads = [threading.Thread(target=lambda: results.append(filled(place))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False, False, False, True]
    assert len(os.listdir(place / "volume/_data")) == 200


def test_a_link_planted_in_a_shared_volume_is_not_written_through(place: Path) -> None:
    (place / "victim").mkdir()
    (place / "rootfs/data/sub").mkdir()
    (place / "rootfs/data/sub/file").touch()
    os.symlink(place / "victim", place / "volume/_data/sub")
    (place / "volume/filling").touch()  # as if a copy were under way while another container writes
    with pytest.raises(CopyUpFailed):
        filled(place)
    assert os.listdir(place / "victim") == []
