"""Many at once, small ones: starts side by side, the memory of a monitor, what a running one has loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.containers import World

NONE = ("--network", "none")
PSS_LIMIT = 7 << 20


def test_sixteen_starts_at_once_all_succeed_and_leave_nothing(world: World) -> None:
    running = [
        world.popen("run", "--rm", "busybox", "echo", str(number), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for number in range(16)
    ]
    for number, process in enumerate(running):
        out, err = process.communicate(timeout=50)
        assert (process.returncode, out) == (0, f"{number}\n".encode()), err
    world.clear()
    assert world.left() == []


def test_sixteen_in_the_background_have_addresses_of_their_own(world: World) -> None:
    running = [
        world.popen("run", "-d", "--name", f"box{number}", "busybox", "sleep", "600", stdout=-1, stderr=-1)
        for number in range(16)
    ]
    assert [process.wait(50) for process in running] == [0] * 16
    query = "SELECT count(DISTINCT address) FROM endpoint"
    assert world.root.db.execute(query).fetchone() == (16,)
    world.root.close()
    world.run("rm", "-f", *(f"box{number}" for number in range(16)))
    assert world.left() == []


def pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no Pss")


def test_a_monitor_is_small(world: World) -> None:
    for number in range(3):
        world.run("run", "-d", "--name", f"box{number}", "busybox", "sleep", "600")
    monitors = [world.container(f"box{number}").monitor for number in range(3)]
    world.wait_for(
        lambda: all(pss(pid) < PSS_LIMIT for pid in monitors), f"{[pss(pid) for pid in monitors]} below 7 MB"
    )


def test_an_idle_monitor_has_no_database_open_and_the_hosts_mounts(world: World) -> None:
    world.run("run", "-d", "--name", "box", "busybox", "sleep", "600")
    monitor = world.container("box").monitor

    def open_files() -> list[str]:
        found = []
        for entry in Path(f"/proc/{monitor}/fd").iterdir():
            try:
                found.append(str(entry.readlink()))
            except FileNotFoundError:  # closed while we looked
                continue
        return found

    world.wait_for(lambda: not any("state.db" in path for path in open_files()), "a closed database")
    assert Path(f"/proc/{monitor}/ns/mnt").readlink() == Path("/proc/self/ns/mnt").readlink()


def test_nothing_of_the_start_path_imports_what_is_not_allowed() -> None:
    names = "monitor launch adopt reconcile remove control exec_ once"
    modules = [*(f"hardtack.container.{name}" for name in names.split()), "hardtack.network.attach"]
    program = f"import sys\nbefore = set(sys.modules)\nfor name in {modules!r}: __import__(name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    forbidden = (
        "re enum dataclasses typing collections contextlib pathlib subprocess tempfile shutil logging threading "
    )
    forbidden += "socket json uuid functools datetime hashlib random selectors signal"
    assert not set(done.stdout.split()) & set(forbidden.split())
