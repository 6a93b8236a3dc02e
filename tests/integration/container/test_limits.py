"""Limits that the kernel keeps: seen in the control groups, and felt by the processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hardtack.container.row import cgroup_of
from hardtack.linux import cgroup
from support.containers import World

NONE = ("--network", "none")
V2 = cgroup.layout() == cgroup.V2


def read(world: World, name: str, controller: str, v1: str, v2: str) -> str:
    path = cgroup_of(world.root, world.container(name).id)
    file = f"{cgroup.MOUNT}{path}/{v2}" if V2 else f"{cgroup.MOUNT}/{controller}{path}/{v1}"
    return Path(file).read_text().strip()


def test_limits_are_written_where_the_kernel_looks(world: World) -> None:
    words = ["-m", "64m", "--memory-reservation", "32m", "--cpus", "0.5", "--cpu-shares", "512", "--pids-limit", "50"]
    world.run("run", "-d", "--name", "box", *words, "--cpuset-cpus", "0", *NONE, "busybox", "sleep", "60")
    assert read(world, "box", "memory", "memory.limit_in_bytes", "memory.max") == str(64 << 20)
    assert read(world, "box", "memory", "memory.soft_limit_in_bytes", "memory.low") == str(32 << 20)
    assert read(world, "box", "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == "50000"
    assert read(world, "box", "pids", "pids.max", "pids.max") == "50"
    assert read(world, "box", "cpuset", "cpuset.cpus", "cpuset.cpus") == "0"
    if not V2:
        assert read(world, "box", "cpu", "cpu.shares", "") == "512"


def test_the_container_sees_its_cpu_limit(world: World) -> None:
    script = "cat /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us"
    assert world.output("run", "--rm", "--cpus", "1.5", *NONE, "busybox", "sh", "-c", script).split()[0] == "150000"


def test_want_of_memory_ends_it_and_is_told(world: World) -> None:
    done = world.run("run", "--name", "eater", "-m", "12m", *NONE, "busybox", "tail", "/dev/zero", check=False)
    assert done.returncode == 137
    container = world.container("eater")
    assert container.oom and container.exit_code == 137


def test_a_kill_is_no_want_of_memory(world: World) -> None:
    world.run("run", "-d", "--name", "box", "-m", "64m", *NONE, "busybox", "sleep", "60")
    world.run("kill", "box")
    assert not world.container("box").oom


def test_the_number_of_processes_is_kept(world: World) -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9; do sleep 3 & done; wait"
    done = world.run("run", "--rm", "--pids-limit", "5", *NONE, "busybox", "sh", "-c", script, check=False)
    assert "can't fork" in done.stderr


@pytest.mark.parametrize(("given", "shown"), [("nofile=100:200", "100 200"), ("nofile=64", "64 64"), ("core=0", "")])
def test_ulimits_are_set_within_what_we_hold(world: World, given: str, shown: str) -> None:
    script = "echo $(ulimit -Sn) $(ulimit -Hn)"
    output = world.output("run", "--rm", "--ulimit", given, *NONE, "busybox", "sh", "-c", script)
    assert not shown or output == shown


def test_a_ulimit_above_ours_is_lowered_and_does_not_fail(world: World) -> None:
    script = "ulimit -Hn"
    given = "nofile=1000000:1000000"
    assert int(world.output("run", "--rm", "--ulimit", given, *NONE, "busybox", "sh", "-c", script)) <= 1_000_000


def test_sysctls_of_a_namespace_are_set_and_others_refused(world: World) -> None:
    words = ["--sysctl", "net.ipv4.ip_forward=1", "--sysctl", "kernel.msgmax=4096"]
    shown = world.output(
        "run", "--rm", *words, *NONE, "busybox", "cat", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/msgmax"
    )
    assert shown.split() == ["1", "4096"]
    done = world.run("run", "--rm", "--sysctl", "kernel.panic=1", "busybox", "true", check=False)
    assert done.returncode == 125 and "not namespaced" in done.stderr


def test_the_groups_of_a_root_are_below_its_own_parent_and_go_with_their_container(world: World) -> None:
    world.run("run", "-d", "--name", "box", *NONE, "busybox", "sleep", "60")
    ident = world.container("box").id
    assert cgroup.children(f"/hardtack-{world.root.id}") == {ident}
    world.run("rm", "-f", "box")
    world.wait_for(lambda: not cgroup.exists(f"/hardtack-{world.root.id}/{ident}"))
