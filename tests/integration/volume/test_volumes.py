"""Volumes and mounts of containers: rows, directories, what the runtime reads. Each test costs some 10 ms."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hardtack.store.root import Root
from hardtack.volume import volumes
from hardtack.volume.errors import (
    BindSourceMissing,
    InvalidMount,
    MountUnsupported,
    NoSuchVolume,
    VolumeInUse,
)
from hardtack.volume.mounts import claim, docker_mounts, drop, prepare, wanted
from hardtack.volume.parse import parse_mount, parse_volume

ONE, TWO = "1" * 64, "2" * 64


@pytest.fixture
def rootfs(tmp_path: Path) -> str:
    (tmp_path / "rootfs/data").mkdir(parents=True)
    (tmp_path / "rootfs/data/recipe").write_text("dough")
    return str(tmp_path / "rootfs")


def test_a_named_volume_is_made_filled_and_kept(root: Root, rootfs: str) -> None:
    mounts, shown = prepare(root, ONE, [parse_volume("box:/data:ro")], [], rootfs)
    data = volumes.mountpoint(root, "box")
    assert mounts == [{"destination": "/data", "type": "bind", "source": data, "options": ["rbind", "rprivate", "ro"]}]
    assert shown == [
        {
            "Type": "volume",
            "Name": "box",
            "Source": data,
            "Destination": "/data",
            "Driver": "local",
            "Mode": "ro",
            "RW": False,
            "Propagation": "",
        }
    ]
    assert Path(data, "recipe").read_text() == "dough"
    assert drop(root, ONE, anonymous=True) == []
    assert Path(data, "recipe").exists(), "a volume with a name stays"


def test_nocopy_leaves_it_empty(root: Root, rootfs: str) -> None:
    prepare(root, ONE, [parse_volume("box:/data:nocopy")], [], rootfs)
    assert os.listdir(volumes.mountpoint(root, "box")) == []


def test_an_anonymous_volume_is_the_same_at_every_start_and_goes_with_its_container(root: Root, rootfs: str) -> None:
    first = prepare(root, ONE, [], ["/data"], rootfs)[1][0]
    Path(first["Source"], "mine").touch()
    again = prepare(root, ONE, [], ["/data"], rootfs)[1][0]
    assert again["Name"] == first["Name"] and len(first["Name"]) == 64
    assert volumes.users(root.db) == {first["Name"]: [ONE]}
    assert drop(root, ONE, anonymous=True) == [first["Name"]]
    assert not os.path.exists(first["Source"])
    assert volumes.every(root.db) == []
    assert drop(root, ONE, anonymous=True) == []


def test_without_v_an_anonymous_volume_outlives_its_container(root: Root, rootfs: str) -> None:
    name = prepare(root, ONE, [], ["/data"], rootfs)[1][0]["Name"]
    assert drop(root, ONE) == []
    assert volumes.find(root.db, name).anonymous
    names, freed = volumes.prune(root)
    assert names == [name] and freed > 0
    assert os.listdir(f"{root.path}/volumes") == os.listdir(f"{root.path}/tmp") == []


def test_what_is_asked_for_covers_the_image_s_volume(root: Root, rootfs: str, tmp_path: Path) -> None:
    mounts, _ = prepare(root, ONE, [parse_volume(f"{tmp_path}/host:/data")], ["/data/", "/other"], rootfs)
    assert [mount["destination"] for mount in mounts] == ["/data", "/other"]
    assert mounts[0]["source"] == f"{tmp_path}/host"


def test_parents_are_mounted_before_what_lies_inside_them(root: Root, rootfs: str) -> None:
    specs = [parse_volume(text) for text in ("aa:/data/x/y", "bb:/data", "cc:/data/x")]
    mounts, _ = prepare(root, ONE, specs, [], rootfs)
    assert [mount["destination"] for mount in mounts] == ["/data", "/data/x", "/data/x/y"]


def test_a_missing_source_is_made_by_v_and_refused_by_mount(root: Root, rootfs: str, tmp_path: Path) -> None:
    prepare(root, ONE, [parse_volume(f"{tmp_path}/new/deep:/data")], [], rootfs)
    assert (tmp_path / "new/deep").is_dir()
    with pytest.raises(BindSourceMissing, match="bind source path does not exist") as caught:
        prepare(root, ONE, [parse_mount(f"type=bind,src={tmp_path}/nix,target=/data")], [], rootfs)
    assert caught.value.exit_code == 125
    os.symlink(tmp_path / "nowhere", tmp_path / "dangling")
    with pytest.raises(BindSourceMissing):
        prepare(root, ONE, [parse_volume(f"{tmp_path}/dangling:/data")], [], rootfs)
    (tmp_path / "file").touch()
    with pytest.raises(InvalidMount, match="cannot make the directory"):
        prepare(root, ONE, [parse_volume(f"{tmp_path}/file/below:/data")], [], rootfs)


def test_read_only_reaches_the_mounts_below_where_it_can(root: Root, rootfs: str, tmp_path: Path) -> None:
    def options(text: str, able: bool = True) -> list[str]:
        mounts, _ = prepare(
            root,
            ONE,
            [parse_mount(f"type=bind,src={tmp_path},target=/data,{text}")],
            [],
            rootfs,
            recursive_read_only=able,
        )
        found: list[str] = mounts[0]["options"]
        return found

    assert options("ro") == ["rbind", "rprivate", "rro"]
    assert options("ro", able=False) == ["rbind", "rprivate", "ro"]
    assert options("ro,bind-recursive=writable") == ["rbind", "rprivate", "ro"]
    assert options("bind-recursive=disabled") == ["bind", "rprivate", "rw"]
    with pytest.raises(MountUnsupported):
        options("ro,bind-recursive=readonly", able=False)


def test_propagation_is_what_was_asked_for(root: Root, rootfs: str, tmp_path: Path) -> None:
    mounts, shown = prepare(root, ONE, [parse_volume(f"{tmp_path}:/data:rslave")], [], rootfs)
    assert "rslave" in mounts[0]["options"] and shown[0]["Propagation"] == "rslave"
    mounts, shown = prepare(root, ONE, [parse_volume(f"{tmp_path}:/data")], [], rootfs)
    assert "rprivate" in mounts[0]["options"] and shown[0]["Propagation"] == "rprivate"


def test_all_places_of_a_create_request_count(root: Root, rootfs: str) -> None:
    specs = wanted(
        {
            "Binds": ["box:/a"],
            "Mounts": [{"Type": "tmpfs", "Target": "/b", "TmpfsOptions": {"SizeBytes": 1024, "Mode": 0o1770}}],
            "Tmpfs": {"/c": "exec,size=1m"},
        }
    )
    mounts, shown = prepare(root, ONE, specs, [], rootfs)
    assert mounts[1]["options"] == ["noexec", "nosuid", "nodev", "size=1024", "mode=1770", "rprivate", "rw"]
    assert mounts[2]["options"] == ["nosuid", "nodev", "exec", "size=1m", "rprivate", "rw"]
    assert [entry["Type"] for entry in shown] == ["volume", "tmpfs", "tmpfs"]
    with pytest.raises(InvalidMount, match="Duplicate mount point: /a"):
        wanted({"Binds": ["box:/a"], "Tmpfs": {"/a/": ""}})


def test_a_volume_in_use_stays_even_when_its_container_never_ran(root: Root) -> None:
    with root.transaction() as db:
        placed = claim(db, ONE, [parse_volume("box:/data")])
        claim(db, TWO, [parse_volume("box:/data")])
    assert docker_mounts(root, placed)[0]["Name"] == "box"
    with pytest.raises(VolumeInUse, match="volume is in use") as caught:
        volumes.remove(root, "box")
    assert caught.value.containers == [ONE, TWO]
    drop(root, ONE)
    drop(root, TWO)
    volumes.remove(root, "box")
    with pytest.raises(NoSuchVolume):
        volumes.remove(root, "box")
    volumes.remove(root, "box", force=True)


def test_prune_spares_names_labels_and_what_is_used(root: Root) -> None:
    volumes.create(root, "kept", {"keep": "1"})
    volumes.create(root, "named")
    anonymous = volumes.create(root).name
    with root.transaction() as db:
        claim(db, ONE, [parse_volume("used:/data")])
    assert volumes.prune(root)[0] == [anonymous]
    assert volumes.prune(root, named=True, wanted=lambda volume: "keep" not in volume.labels)[0] == ["named"]
    assert [volume.name for volume in volumes.every(root.db)] == ["kept", "used"]


def test_nobody_but_root_passes_to_what_a_volume_holds(root: Root) -> None:
    volumes.create(root, "box")
    assert os.stat(volumes.directory(root, "box")).st_mode & 0o077 == 0


def test_making_a_volume_twice_finds_the_first(root: Root) -> None:
    first = volumes.create(root, "box", {"a": "b"})
    assert volumes.create(root, "box").labels == first.labels == {"a": "b"}
