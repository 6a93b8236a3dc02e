"""What cannot be is refused by us, with docker's exit codes, once, and before anything was made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hardtack.linux import cgroup
from support.containers import World


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cpus", "9999"], "range of CPUs is from 0.01 to"),
        (["--cpuset-cpus", "a"], "Invalid value a for cpuset cpus"),
        (["--memory-swappiness", "500"], "valid memory swappiness range is 0-100"),
        (["--security-opt", "seccomp=/nope"], "opening seccomp profile (/nope) failed: no such file or directory"),
    ],
)
def test_a_limit_or_profile_that_cannot_be_leaves_no_container(world: World, words: list[str], said: str) -> None:
    done = world.run("run", *words, "busybox", "true", check=False)
    assert done.returncode == 125
    assert said in done.stderr and done.stderr.count("\n") == 1
    assert world.output("ps", "-aq") == ""


def test_a_profile_that_is_no_json_is_refused(world: World, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    done = world.run("run", "--security-opt", f"seccomp={tmp_path}/bad.json", "busybox", "true", check=False)
    assert (done.returncode, "Decoding seccomp profile failed" in done.stderr) == (125, True)


def test_exec_as_nobody_known_or_from_nowhere_says_so_once_with_126(world: World) -> None:
    world.run("run", "-d", "--name", "oven", "busybox", "sleep", "100")
    for words, said in (
        (["-u", "ghost"], "unable to find user ghost: no matching entries in passwd file"),
        (["-u", "0:ghost"], "unable to find group ghost"),
        (["-w", "/nodir"], 'chdir to cwd ("/nodir") failed: no such file or directory'),
        (["-w", "/etc/passwd"], "not a directory"),
        (["-w", "etc"], "is not an absolute path"),
    ):
        done = world.run("exec", *words, "oven", "true", check=False)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (126, "", 1), words
        assert said in done.stderr
    assert world.output("exec", "-w", "/etc", "oven", "pwd") == "/etc"


def test_a_name_that_a_container_has_already_is_refused(world: World) -> None:
    world.run("create", "--name", "oven", "busybox", "true")
    done = world.run("rename", "oven", "oven", check=False)
    assert done.returncode == 1
    assert "Renaming a container with the same name as its current name" in done.stderr


def test_no_limit_of_processes_is_none(world: World) -> None:
    world.run("run", "--rm", "--pids-limit", "-1", "busybox", "true")


def test_mtab_leads_to_the_mounts_and_is_no_change(world: World) -> None:
    world.run("run", "--name", "oven", "busybox", "sh", "-c", "readlink /etc/mtab; grep -c . /etc/mtab >/dev/null")
    assert world.output("logs", "oven") == "/proc/mounts"
    assert world.output("diff", "oven") == ""
    world.run("start", "-a", "oven")


def test_inspect_shows_what_was_not_given_as_null_and_the_namespace_of_groups_as_it_is(world: World) -> None:
    world.run("create", "--name", "oven", "busybox", "true")
    world.run("create", "--name", "stove", "--cgroupns", "private", "--cap-add", "NET_ADMIN", "busybox", "true")
    found = [document["HostConfig"] for document in json.loads(world.output("inspect", "oven", "stove"))]
    for key in ("Binds", "CapAdd", "CapDrop", "ExtraHosts", "GroupAdd", "SecurityOpt"):
        assert found[0][key] is None, key
    assert found[0]["CgroupnsMode"] == ("private" if cgroup.layout() == cgroup.V2 else "host")
    assert found[1]["CgroupnsMode"] == "private"
    assert found[1]["CapAdd"] == ["CAP_NET_ADMIN"]
