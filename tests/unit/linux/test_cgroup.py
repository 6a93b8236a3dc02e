"""Control groups over trees of plain files: the layout that this machine has not is held here."""

from __future__ import annotations

from pathlib import Path

from hardtack.linux import cgroup


def v2(folder: Path) -> str:
    (folder / "cgroup.controllers").write_text("cpu memory pids\n")
    (folder / "cgroup.procs").write_text("1\n")
    return str(folder)


def v1(folder: Path, unified: bool = False) -> str:
    for name in ("memory", "cpu", "pids"):
        (folder / name).mkdir()
        (folder / name / "cgroup.procs").write_text("1\n")
    (folder / "cpuacct").symlink_to("cpu")
    if unified:
        (folder / "unified").mkdir()
        (folder / "unified/cgroup.controllers").write_text("hugetlb\n")
        (folder / "unified/cgroup.procs").write_text("1\n")
    return str(folder)


def group(*folders: Path, processes: str = "") -> None:
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "cgroup.procs").write_text(processes)


def test_the_layout_is_told_from_what_is_mounted(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        (tmp_path / name).mkdir()
    assert cgroup.layout(v2(tmp_path / "a")) == cgroup.V2
    assert cgroup.layout(v1(tmp_path / "b")) == cgroup.V1
    assert cgroup.layout(v1(tmp_path / "c", unified=True)) == cgroup.HYBRID
    assert cgroup.layout(str(tmp_path / "d")) == cgroup.NONE
    assert cgroup.unified_controllers(str(tmp_path / "c")) == ["hugetlb"]


def test_processes_are_found_in_groups_and_below_them(tmp_path: Path) -> None:
    mount = v2(tmp_path)
    group(tmp_path / "x", processes="5\n")
    group(tmp_path / "x/below", processes="6\n7\n")
    assert cgroup.processes("/x", mount) == {5, 6, 7}
    assert cgroup.processes("/nothing", mount) == set()


def test_processes_are_found_in_every_hierarchy_and_links_are_not_walked(tmp_path: Path) -> None:
    mount = v1(tmp_path, unified=True)
    group(tmp_path / "memory/x", processes="5\n")
    group(tmp_path / "unified/x", processes="6\n")
    assert cgroup.processes("/x", mount) == {5, 6}
    assert not any(path.endswith("cpuacct") for path in cgroup.hierarchies(mount))


def test_a_dummy_among_the_hierarchies_is_none(tmp_path: Path) -> None:
    mount = v1(tmp_path)
    (tmp_path / "unified").mkdir()
    assert str(tmp_path / "unified") not in cgroup.hierarchies(mount)


def test_want_of_memory_is_read_in_both_forms(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    one, two = v1(tmp_path / "a"), v2(tmp_path / "b")
    (tmp_path / "a/memory/x").mkdir()
    (tmp_path / "a/memory/x/memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    (tmp_path / "b/x").mkdir()
    (tmp_path / "b/x/memory.events").write_text("low 0\noom 3\noom_kill 1\n")
    assert (cgroup.oom_kills("/x", one), cgroup.oom_kills("/x", two)) == (2, 1)
    assert cgroup.oom_kills("/gone", two) == 0


def test_groups_are_removed_from_the_bottom(tmp_path: Path) -> None:
    mount = v1(tmp_path)
    for name in ("memory", "cpu"):
        (tmp_path / name / "x/y/z").mkdir(parents=True)
    assert cgroup.exists("/x", mount) and cgroup.children("/x", mount) == {"y"}
    assert cgroup.remove("/x", mount)
    assert not cgroup.exists("/x", mount)
    assert cgroup.remove("/x", mount), "again is no error"


def test_what_is_in_use_stays_and_is_told(tmp_path: Path) -> None:
    mount = v2(tmp_path)
    group(tmp_path / "x", processes="5\n")
    assert not cgroup.remove("/x", mount)
