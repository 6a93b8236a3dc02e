"""A further process in a running container."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from support.containers import World

NONE = ("--network", "none")


@pytest.fixture
def box(world: World) -> Iterator[str]:
    """A running container called box, with a variable of its own."""
    world.run("run", "-d", "--name", "box", "-e", "OWN=1", "-w", "/tmp", "-h", "oven", *NONE, "busybox", "sleep", "600")
    yield "box"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["true"], 0),
        (["sh", "-c", "exit 42"], 42),
        (["sh", "-c", "kill -9 $$"], 137),
        (["nothing"], 127),
        (["/nothing"], 127),
        (["/etc"], 126),
        (["/etc/passwd"], 126),
    ],
)
def test_the_exit_code_is_the_commands_or_dockers(world: World, box: str, words: list[str], code: int) -> None:
    done = world.run("exec", box, *words, check=False)
    assert done.returncode == code
    assert done.stderr.count("\n") <= 1


def test_streams_arrive_apart_and_whole(world: World, box: str) -> None:
    done = world.run("exec", box, "sh", "-c", "echo out; echo err >&2")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_input_is_passed_with_i_and_only_then(world: World, box: str) -> None:
    text = os.urandom(1 << 19).hex()
    assert world.run("exec", "-i", box, "cat", data=text).stdout == text
    assert world.run("exec", box, "cat", data=text).stdout == ""


def test_it_has_the_containers_environment_directory_and_user(world: World, box: str) -> None:
    script = "echo $OWN-$MORE-$HOSTNAME-$(pwd)-$(id -u)"
    assert world.output("exec", "-e", "MORE=2", box, "sh", "-c", script) == "1-2-oven-/tmp-0"
    assert world.output("exec", "-u", "nobody", "-w", "/etc", box, "sh", "-c", script) == "1--oven-/etc-65534"
    done = world.run("exec", "-u", "stranger", box, "true", check=False)
    assert done.returncode == 126 and "unable to find user stranger" in done.stderr


def test_detached_returns_at_once_and_the_process_lives(world: World, box: str) -> None:
    began = time.monotonic()
    done = world.run("exec", "-d", box, "sleep", "500")
    assert time.monotonic() - began < 5 and done.stdout == ""
    world.wait_for(lambda: "sleep 500" in world.output("exec", box, "ps"))


def test_privileged_gives_more_to_this_process_only(world: World, box: str) -> None:
    wide = world.output("exec", "--privileged", box, "grep", "CapEff", "/proc/self/status")
    narrow = world.output("exec", box, "grep", "CapEff", "/proc/self/status")
    assert int(wide.split()[1], 16) > int(narrow.split()[1], 16)


def test_processes_are_in_the_containers_group_and_end_with_it(world: World, box: str) -> None:
    running = world.popen("exec", box, "sleep", "300", stdout=-1, stderr=-1)
    world.wait_for(lambda: "sleep 300" in world.output("exec", box, "ps"))
    world.run("kill", box)
    assert running.wait(20) == 137


def test_nothing_is_left_in_the_run_directory(world: World, box: str) -> None:
    folder = f"{world.root.run}/containers/{world.container(box).id}"
    before = set(os.listdir(folder))
    world.run("exec", box, "true")
    world.run("exec", box, "nothing", check=False)
    assert set(os.listdir(folder)) == before
