"""A person at a terminal: keys, sizes, detaching and coming back, and a mode that is always given back."""

from __future__ import annotations

import os
import signal
import termios
import time
from collections.abc import Callable, Iterator

import pytest

from support.containers import Terminal, World

NONE = ("--network", "none")
CTRL_P, CTRL_Q = "\x10", "\x11"


@pytest.fixture
def terminal(world: World) -> Iterator[Callable[..., Terminal]]:
    """Makes terminals, which end with the test."""
    made: list[Terminal] = []

    def make(*words: str, **size: int) -> Terminal:
        made.append(Terminal(world, *words, **size))
        return made[-1]

    yield make
    for screen in made:
        screen.kill()


def is_raw(screen: Terminal) -> bool:
    return not termios.tcgetattr(screen.master)[3] & termios.ICANON


def test_the_size_follows_the_window(world: World, terminal: Callable[..., Terminal]) -> None:
    screen = terminal("run", "--rm", "-it", *NONE, "busybox", "sh", rows=30, columns=90)
    screen.read_until("# ")
    screen.resize(41, 123)
    os.kill(screen.pid, signal.SIGWINCH)
    screen.type("sleep 0.2; stty size\n")
    screen.read_until("41 123")
    screen.type("exit\n")
    assert screen.wait() == 0


def test_control_c_goes_to_the_program_inside(world: World, terminal: Callable[..., Terminal]) -> None:
    screen = terminal("run", "--rm", "-it", *NONE, "busybox", "sh")
    screen.read_until("# ")
    screen.type("sh -c 'echo begun-$((1+1)); exec sleep 100'\n")
    screen.read_until("begun-2\r\n")
    screen.type("\x03")
    screen.read_until("# ")
    screen.type("echo $?; exit 5\n")
    screen.read_until("130")
    assert screen.wait() == 5


def test_the_third_control_c_gives_the_shell_back(world: World, terminal: Callable[..., Terminal]) -> None:
    screen = terminal("run", "--name", "deaf", *NONE, "busybox", "sh", "-c", "trap '' INT; echo begun; sleep 100")
    screen.read_until("begun")
    for _ in range(3):
        time.sleep(0.3)  # at once they would be one pending signal
        screen.type("\x03")
    assert "it ignored three requests to end" in screen.read_until("tack stop")
    assert screen.wait() == 130
    assert world.output("inspect", "-f", "{{.State.Status}}", "deaf") == "running"
    world.run("rm", "-f", "deaf")


def test_detach_keys_leave_it_running_and_attach_comes_back(world: World, terminal: Callable[..., Terminal]) -> None:
    screen = terminal("run", "-it", "--name", "shell", *NONE, "busybox", "sh")
    screen.read_until("# ")
    screen.type(CTRL_P + CTRL_Q)
    screen.read_until("read escape sequence")
    assert screen.wait() == 0
    assert world.container("shell").state == "running"
    again = terminal("attach", "shell")
    again.type("echo again-$((1+1))\n")
    again.read_until("again-2")
    again.type("exit 3\n")
    assert again.wait() == 3


def test_other_detach_keys_can_be_chosen(world: World, terminal: Callable[..., Terminal]) -> None:
    screen = terminal("run", "-it", "--name", "shell", "--detach-keys", "ctrl-a,x", *NONE, "busybox", "sh")
    screen.read_until("# ")
    screen.type(CTRL_P + CTRL_Q + "\x01x")
    assert screen.wait() == 0
    assert world.container("shell").state == "running"


def test_the_mode_comes_back_however_it_ends(world: World, terminal: Callable[..., Terminal]) -> None:
    screen = terminal("run", "-it", "--name", "shell", *NONE, "busybox", "sh")
    screen.read_until("# ")
    world.wait_for(lambda: is_raw(screen), "raw mode")
    world.run("kill", "shell")
    world.wait_for(lambda: not is_raw(screen), "the old mode")
    assert screen.wait() == 137


def test_the_mode_comes_back_when_the_monitor_is_killed(world: World, terminal: Callable[..., Terminal]) -> None:
    screen = terminal("run", "-it", "--name", "shell", *NONE, "busybox", "sh")
    screen.read_until("# ")
    world.wait_for(lambda: is_raw(screen), "raw mode")
    os.kill(world.container("shell").monitor, signal.SIGKILL)
    world.wait_for(lambda: not is_raw(screen), "the old mode")
    screen.read_until("lost the monitor")
    assert screen.wait() == 125


def test_two_people_see_the_same_terminal(world: World, terminal: Callable[..., Terminal]) -> None:
    first = terminal("run", "-it", "--name", "shell", *NONE, "busybox", "sh")
    first.read_until("# ")
    second = terminal("attach", "shell")
    second.type("echo both-$((3*3))\n")
    second.read_until("both-9")
    first.read_until("both-9")
    first.type("exit\n")
    assert first.wait() == second.wait() == 0


def test_input_without_a_terminal_is_refused_for_one(world: World) -> None:
    done = world.run("run", "--rm", "-it", *NONE, "busybox", "sh", check=False)
    assert done.returncode == 125
    assert "not a terminal" in done.stderr or "not a TTY" in done.stderr


def test_exec_detaches_by_the_keys_too(world: World, terminal: Callable[..., Terminal]) -> None:
    world.run("run", "-d", "--name", "box", *NONE, "busybox", "sleep", "60")
    screen = terminal("exec", "-it", "box", "sh")
    screen.read_until("# ")
    screen.type("echo on; sleep 50\n")
    screen.read_until("on\r\n")
    screen.type(CTRL_P + CTRL_Q)
    assert screen.wait() == 0


def test_output_of_a_terminal_is_logged(world: World, terminal: Callable[..., Terminal]) -> None:
    screen = terminal("run", "-t", "--name", "painter", *NONE, "busybox", "echo", "painted")
    screen.wait()
    assert world.logs("painter") == "painted\r\n"


def test_the_first_program_knows_the_size_at_once(world: World, terminal: Callable[..., Terminal]) -> None:
    screen = terminal("run", "--rm", "-it", *NONE, "busybox", "stty", "size", rows=37, columns=111)
    screen.read_until("37 111")
    assert screen.wait() == 0
