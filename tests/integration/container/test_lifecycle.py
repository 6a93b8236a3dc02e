"""The states of a container and what may be asked in each, in docker's words."""

from __future__ import annotations

import threading
import time

import pytest

from support.containers import World

NONE = ("--network", "none")


def test_a_created_container_is_a_row_and_starts_later(world: World) -> None:
    ident = world.output("create", "--name", "later", *NONE, "busybox", "echo", "now")
    assert world.container("later").state == "created"
    assert world.run("start", "-a", "later").stdout == "now\n"
    assert world.container(ident[:8]).state == "exited"


def test_start_of_a_running_container_is_no_error(world: World) -> None:
    world.run("run", "-d", "--name", "box", *NONE, "busybox", "sleep", "60")
    before = world.container("box").pid
    assert world.output("start", "box") == "box"
    assert world.container("box").pid == before


def test_start_passes_input_on(world: World) -> None:
    world.run("create", "--name", "copy", "-i", *NONE, "busybox", "cat")
    assert world.run("start", "-ai", "copy", data="").returncode == 0


@pytest.mark.parametrize(
    ("command", "state", "said"),
    [
        (["rm", "box"], "running", "stop the container before removing or force remove"),
        (["rm", "box"], "paused", "container is paused and must be unpaused first"),
        (["kill", "box"], "exited", "is not running"),
        (["exec", "box", "true"], "exited", "is not running"),
        (["exec", "box", "true"], "paused", "is paused, unpause the container before exec"),
        (["pause", "box"], "exited", "is not running"),
        (["pause", "box"], "paused", "cannot pause container box: it is paused"),
        (["unpause", "box"], "running", "not paused but running"),
        (["attach", "box"], "exited", "You cannot attach to a stopped container, start it first"),
        (["attach", "box"], "paused", "You cannot attach to a paused container, unpause it first"),
        (["start", "box"], "paused", "Use `tack unpause` instead"),
        (["kill", "-s", "NONSENSE", "box"], "running", "Invalid signal: NONSENSE"),
    ],
)
def test_what_a_state_does_not_allow_is_refused(world: World, command: list[str], state: str, said: str) -> None:
    if state == "exited":
        world.run("run", "--name", "box", *NONE, "busybox", "true")
    else:
        world.run("run", "-d", "--name", "box", *NONE, "busybox", "sleep", "60")
    if state == "paused":
        world.run("pause", "box")
    done = world.run(*command, check=False)
    assert done.returncode == 1 and said in done.stderr
    assert world.container("box").state == state


@pytest.mark.parametrize(
    "command", ["start", "stop", "kill", "rm", "wait", "pause", "unpause", "restart", "exec", "attach"]
)
def test_an_unknown_name_is_said_in_dockers_words(world: World, command: str) -> None:
    done = world.run(command, "nobody", *(["true"] if command == "exec" else []), check=False)
    assert done.returncode == 1 and "No such container: nobody" in done.stderr


def test_several_names_are_all_served_and_the_first_failure_told(world: World) -> None:
    world.run("run", "-d", "--name", "one", *NONE, "busybox", "sleep", "60")
    world.run("run", "-d", "--name", "two", *NONE, "busybox", "sleep", "60")
    done = world.run("kill", "one", "nobody", "two", check=False)
    assert done.returncode == 1 and done.stdout.split() == ["one", "two"]


def test_stop_uses_the_stop_signal_then_kills(world: World) -> None:
    script = "trap 'echo got; exit 9' USR1; echo up; while :; do sleep 0.05; done"
    world.run("run", "-d", "--name", "box", "--stop-signal", "USR1", *NONE, "busybox", "sh", "-c", script)
    world.wait_for(lambda: world.logs("box"))
    world.run("stop", "box")
    assert world.container("box").exit_code == 9
    world.run("run", "-d", "--name", "deaf", "--stop-timeout", "1", *NONE, "busybox", "sleep", "60")
    began = time.monotonic()
    world.run("stop", "deaf")
    assert 0.9 < time.monotonic() - began < 6
    assert world.container("deaf").exit_code == 137


def test_stop_ends_a_paused_container(world: World) -> None:
    world.run(
        "run", "-d", "--name", "box", *NONE, "busybox", "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"
    )
    world.run("pause", "box")
    world.run("stop", "-t", "5", "box")
    assert world.container("box").state == "exited"


def test_stop_of_a_stopped_container_is_no_error(world: World) -> None:
    world.run("run", "--name", "box", *NONE, "busybox", "true")
    assert world.output("stop", "box") == "box"


def test_wait_blocks_until_the_end_and_prints_the_code(world: World) -> None:
    world.run("run", "-d", "--name", "box", *NONE, "busybox", "sh", "-c", "sleep 0.5; exit 3")
    began = time.monotonic()
    assert world.output("wait", "box") == "3"
    assert time.monotonic() - began < 8
    assert world.output("wait", "box", "box") == "3\n3"


def test_restart_begins_anew(world: World) -> None:
    world.run("run", "-d", "--name", "box", *NONE, "busybox", "sleep", "60")
    before = world.container("box")
    world.run("restart", "-t", "0", "box")
    after = world.container("box")
    assert after.state == "running" and after.pid != before.pid and after.started > before.started


def test_rename_keeps_it_running_and_conflicts_are_told(world: World) -> None:
    world.run("run", "-d", "--name", "old", *NONE, "busybox", "sleep", "60")
    world.run("create", "--name", "taken", *NONE, "busybox", "true")
    world.run("rename", "old", "new")
    assert world.container("new").state == "running"
    assert "already in use" in world.run("rename", "new", "taken", check=False).stderr
    assert "Invalid container name" in world.run("rename", "new", "a/b", check=False).stderr


def test_force_removes_a_running_container_and_its_files(world: World) -> None:
    ident = world.output(
        "run", "-d", *NONE, "busybox", "sh", "-c", "mkdir -p /deep/er; echo x > /deep/er/file; sleep 60"
    )
    world.run("rm", "-f", ident[:12])
    world.wait_for(lambda: not world.left())


def test_force_of_what_is_gone_is_no_error(world: World) -> None:
    done = world.run("rm", "-f", "nobody", check=False)
    assert done.returncode == 0 and "No such container: nobody" in done.stderr


def test_anonymous_volumes_go_with_rm_v_and_stay_without(world: World) -> None:
    world.run("run", "--name", "box", "-v", "/data", *NONE, "busybox", "touch", "/data/x")
    before = world.output("volume", "ls", "-q")
    world.run("rm", "box")
    assert world.output("volume", "ls", "-q") == before != ""
    world.run("volume", "rm", *before.split())
    world.run("run", "--name", "box", "-v", "/data", *NONE, "busybox", "true")
    world.run("rm", "-v", "box")
    assert world.output("volume", "ls", "-q") == ""


def test_the_policy_starts_it_again_with_a_growing_delay(world: World) -> None:
    world.run(
        "run", "-d", "--name", "box", "--restart", "on-failure:3", *NONE, "busybox", "sh", "-c", "echo run; exit 1"
    )
    world.wait_for(lambda: world.container("box").state == "exited")
    container = world.container("box")
    assert container.restarts == 3 and container.exit_code == 1
    assert world.logs("box") == "run\n" * 4


def test_a_success_is_not_repeated_on_failure_and_always_is(world: World) -> None:
    world.run("run", "-d", "--name", "good", "--restart", "on-failure", *NONE, "busybox", "true")
    world.run("run", "-d", "--name", "ever", "--restart", "always", *NONE, "busybox", "echo", "x")
    world.wait_for(lambda: world.container("ever").restarts > 1)
    assert world.container("good").restarts == 0 and world.container("good").state == "exited"
    world.run("stop", "ever")
    assert world.container("ever").state == "exited"
    count = len(world.logs("ever"))
    time.sleep(0.5)
    assert len(world.logs("ever")) == count
    world.run("rm", "ever", "good")


def test_starts_at_once_of_one_container_start_it_once(world: World) -> None:
    world.run("create", "--name", "box", *NONE, "busybox", "sh", "-c", "echo run; sleep 60")
    started = [world.popen("start", "box", stdout=-1, stderr=-1) for _ in range(6)]
    assert [process.wait(30) for process in started] == [0] * 6
    world.wait_for(lambda: world.logs("box"))
    time.sleep(0.2)
    assert world.logs("box") == "run\n"


def test_removals_at_once_leave_nothing(world: World) -> None:
    world.run("run", "-d", "--name", "box", *NONE, "busybox", "sleep", "60")
    removing = [world.popen("rm", "-f", "box", stdout=-1, stderr=-1) for _ in range(4)]
    assert all(process.wait(30) == 0 for process in removing)
    assert world.output("ps", "-aq") == ""


def test_many_attached_clients_see_the_same(world: World) -> None:
    script = "while [ ! -e /go ]; do sleep 0.02; done; for i in 1 2 3 4 5; do echo line $i; done"
    world.run("run", "-d", "--name", "box", *NONE, "busybox", "sh", "-c", script)
    seen: list[str] = []

    def watch() -> None:
        seen.append(world.run("attach", "--no-stdin", "box").stdout)

    watching = [threading.Thread(target=watch) for _ in range(3)]
    for thread in watching:
        thread.start()
    time.sleep(1)
    world.run("exec", "box", "touch", "/go")
    for thread in watching:
        thread.join(30)
    assert seen == ["".join(f"line {number}\n" for number in range(1, 6))] * 3
