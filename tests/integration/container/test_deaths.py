"""kill -9 of a monitor or a starter: the next command notices, adopts what runs, cleans up what does not."""

from __future__ import annotations

import os
import signal
import time

import pytest

from hardtack.linux.process import start_ticks
from support.containers import World

NONE = ("--network", "none")


def kill_monitor(world: World, name: str) -> None:
    monitor = world.container(name).monitor
    os.kill(monitor, signal.SIGKILL)
    world.wait_for(lambda: start_ticks(monitor) is None)


def test_a_running_container_is_adopted_with_its_output_and_its_end(world: World) -> None:
    script = "trap 'echo bye; exit 7' TERM; n=0; while :; do n=$((n+1)); echo line $n; sleep 0.05; done"
    world.run("run", "-d", "--name", "box", "busybox", "sh", "-c", script)
    world.wait_for(lambda: "line 3" in world.logs("box"))
    before = world.container("box")
    kill_monitor(world, "box")
    time.sleep(0.3)
    world.run("ps")
    after = world.container("box")
    assert after.state == "running" and after.pid == before.pid
    assert after.monitor != before.monitor and after.claimed()
    world.run("stop", "box")
    lines = world.logs("box").splitlines()
    assert lines[-1] == "bye"
    numbers = [int(line.split()[1]) for line in lines[:-1]]
    assert numbers == list(range(1, len(numbers) + 1)), "what was written while nobody watched is there too"
    # the kernel tells the code of somebody else's child from 6.15 on
    assert world.container("box").exit_code in (7, 255)


def test_an_adopted_container_can_be_attached_paused_and_entered(world: World) -> None:
    world.run("run", "-d", "--name", "box", *NONE, "busybox", "sh", "-c", "while :; do echo x; sleep 0.05; done")
    kill_monitor(world, "box")
    assert world.output("exec", "box", "echo", "here") == "here"
    watching = world.popen("attach", "--no-stdin", "box", stdout=-1)
    assert watching.stdout is not None and watching.stdout.readline() == b"x\n"
    world.run("pause", "box")
    world.run("unpause", "box")
    world.run("kill", "box")
    assert watching.wait(20) in (137, 255)


def test_a_container_that_ended_unseen_is_recorded_as_lost_and_taken_down(world: World) -> None:
    world.run("run", "-d", "--name", "box", "-p", "127.0.0.1::80", "busybox", "sleep", "600")
    container = world.container("box")
    kill_monitor(world, "box")
    os.kill(container.pid, signal.SIGKILL)
    world.wait_for(lambda: start_ticks(container.pid) is None)
    world.run("ps", "-a")
    found = world.container("box")
    assert (found.state, found.exit_code) == ("exited", 255)
    assert "monitor was killed" in found.error
    world.run("rm", "box")
    assert world.left() == []


def test_rm_is_finished_by_the_next_command_when_the_monitor_died(world: World) -> None:
    world.run("run", "-d", "--rm", "--name", "box", "busybox", "sleep", "600")
    container = world.container("box")
    kill_monitor(world, "box")
    os.kill(container.pid, signal.SIGKILL)
    world.wait_for(lambda: start_ticks(container.pid) is None)
    world.run("run", "--rm", "--name", "box", *NONE, "busybox", "true", check=False)
    world.run("ps", "-a")
    assert world.output("ps", "-aq") == ""
    assert world.left() == []


@pytest.mark.parametrize("command", [["stop", "-t", "1"], ["kill"], ["rm", "-f"], ["restart", "-t", "0"], ["wait"]])
def test_each_command_works_on_a_container_whose_monitor_died(world: World, command: list[str]) -> None:
    world.run("run", "-d", "--name", "box", *NONE, "busybox", "sleep", "1" if command == ["wait"] else "600")
    kill_monitor(world, "box")
    world.run(*command, "box")


def test_a_start_that_was_killed_anywhere_leaves_what_the_next_command_takes_away(world: World) -> None:
    for moment in range(24):
        running = world.popen("run", "-d", "--name", "box", "busybox", "sleep", "600", stdout=-1, stderr=-1)
        time.sleep(moment * 0.004)
        for pid in (running.pid, *children(running.pid)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        running.wait(20)
        world.run("rm", "-f", "box", check=False)
        assert world.output("ps", "-aq") == "", f"killed after {moment * 4} ms"
    world.run("system", "prune", "--force", check=False)
    from hardtack.container.reconcile import sweep

    sweep(world.root)
    world.root.close()
    assert world.left() == []


def test_a_throwaway_run_that_was_killed_is_swept(world: World) -> None:
    from hardtack.container.reconcile import sweep

    for moment in range(12):
        running = world.popen("run", "--rm", "--name", "box", "busybox", "true", stdout=-1, stderr=-1)
        time.sleep(moment * 0.006)
        running.kill()
        running.wait(20)
    time.sleep(1)
    world.run("ps")
    assert world.output("ps", "-aq") == ""
    sweep(world.root)
    world.root.close()
    assert world.left() == []


def children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            found = [int(word) for word in file.read().split()]
    except OSError:
        return []
    return found + [grandchild for child in found for grandchild in children(child)]
