"""The thin wrappers under the layers: paths that stay inside, mounts that say what went wrong."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from hardtack.linux import mount, openat2, xattr
from support.world import take_down


@pytest.fixture
def box(tmp_path: Path) -> int:
    """A directory with links of every kind out of it; the descriptor is closed with the process."""
    inside = tmp_path / "box"
    (inside / "etc").mkdir(parents=True)
    (inside / "etc" / "passwd").write_text("inside")
    (tmp_path / "secret").write_text("outside")
    os.symlink("/etc", inside / "absolute")
    os.symlink("../../../../etc", inside / "climbing")
    os.symlink("/proc/self/root", inside / "magic")
    return os.open(inside, os.O_PATH | os.O_DIRECTORY)


@pytest.mark.parametrize(
    "path", ["etc/passwd", "/etc/passwd", "absolute/passwd", "climbing/passwd", "../../etc/passwd"]
)
def test_a_path_in_a_root_ends_inside(box: int, path: str) -> None:
    found = openat2.open_in_root(box, path, os.O_RDONLY)
    assert os.read(found, 100) == b"inside"
    assert not os.get_inheritable(found)
    os.close(found)


@pytest.mark.parametrize(
    ("path", "code"),
    [("absolute/passwd", errno.ELOOP), ("../secret", errno.EXDEV), ("/etc/passwd", errno.EXDEV), ("no", errno.ENOENT)],
)
def test_a_path_beneath_knows_no_links_and_no_way_out(box: int, path: str, code: int) -> None:
    with pytest.raises(OSError) as caught:
        openat2.open_beneath(box, path, os.O_RDONLY)
    assert caught.value.errno == code
    assert caught.value.filename == path


def test_files_are_made_inside_only(box: int, tmp_path: Path) -> None:
    made = openat2.open_in_root(box, "../../new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.close(made)
    assert (tmp_path / "box" / "new").exists()
    with pytest.raises(OSError):
        openat2.open_in_root(box, "magic/etc/passwd", os.O_RDONLY)


def test_mounts_come_and_go_by_both_ways(tmp_path: Path) -> None:
    target = tmp_path / "with space\\and\ttab"
    target.mkdir()
    try:
        made = mount.create("tmpfs", [("size", "1m"), ("mode", "0700")], mount.MOUNT_ATTR_NODEV)
        mount.attach(made, str(target))
        os.close(made)
        mount.mount("none", str(target), "tmpfs", mount.MS_NOSUID, "size=2m")
        found = list(mount.mounts(str(tmp_path)))
        assert [m.target for m in found] == [str(target)] * 2
        assert [("nodev" in m.options, "nosuid" in m.options) for m in found] == [(True, False), (False, True)]
        assert mount.is_mounted(str(target))
        mount.umount(str(target))
        mount.unmount_all(str(tmp_path))
        assert list(mount.mounts(str(tmp_path))) == []
        assert not mount.is_mounted(str(target))
        assert not mount.is_mounted(str(tmp_path / "nothing"))
        with pytest.raises(OSError) as caught:
            mount.umount(str(target))
        assert caught.value.errno == errno.EINVAL and caught.value.filename == str(target)
    finally:
        take_down(tmp_path)


def test_what_a_file_system_complains_about_is_in_the_error() -> None:
    with pytest.raises(OSError, match="Unknown parameter"):
        mount.create("tmpfs", [("nonsense", "1")])


def test_attributes_are_read_without_following(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    os.setxattr(tmp_path / "f", "user.a", b"1\0")
    os.symlink("f", tmp_path / "l")
    assert xattr.read_all(str(tmp_path / "f")) == {b"user.a": b"1\0"}
    assert xattr.read_all(str(tmp_path / "l")) == {}
    assert xattr.get(str(tmp_path / "f"), "user.b") is None
    with open(tmp_path / "f") as file:
        assert xattr.read_all(file.fileno()) == {b"user.a": b"1\0"}
