"""The core of running containers, once for each OCI runtime and each layer driver."""

from __future__ import annotations

import json

import pytest

from support.containers import Terminal, World

NONE = ("--network", "none")


def test_the_wanted_runtime_and_driver_are_used(every: World) -> None:
    facts = json.loads(every.output("info", "--format", "json"))
    assert facts["DefaultRuntime"].split()[0] == every.environment["HARDTACK_RUNTIME"]
    assert facts["Driver"] == every.environment["HARDTACK_LAYERS"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["sh", "-c", "echo hello; exit 3"], 3, ""),
        (["no-such-program"], 127, 'exec: "no-such-program": executable file not found in $PATH'),
        (["/etc"], 126, 'exec: "/etc"'),
        (["/etc/passwd"], 126, "permission denied"),
    ],
)
def test_run_exits_as_dockers_does(every: World, words: list[str], code: int, said: str) -> None:
    done = every.run("run", "--rm", *NONE, "busybox", *words, check=False)
    assert done.returncode == code, done.stderr
    assert said in done.stderr


def test_a_program_that_cannot_be_executed_is_reported(every: World) -> None:
    script = "printf '#!/no/interpreter\\n' > /prog; chmod +x /prog"
    every.run("run", "--name", "maker", *NONE, "busybox", "sh", "-c", script)
    every.run("rm", "maker")
    done = every.run(
        "run", "--rm", *NONE, "--entrypoint", "/bin/sh", "busybox", "-c", f"{script}; exec /prog", check=False
    )
    assert done.returncode in (126, 127)


def test_what_a_container_writes_stays_until_it_is_removed(every: World) -> None:
    every.run("run", "--name", "writer", *NONE, "busybox", "sh", "-c", "cat /file 2>/dev/null; echo again >> /file")
    done = every.run("start", "-a", "writer")
    assert done.stdout == "again\n"
    every.run("rm", "writer")


def test_a_life_in_the_background(every: World) -> None:
    script = "trap 'echo bye; exit 4' TERM; echo up; while :; do sleep 0.05; done"
    every.run("run", "-d", "--name", "web", *NONE, "busybox", "sh", "-c", script)
    every.wait_for(lambda: every.logs("web") == "up\n")
    assert every.output("exec", "web", "sh", "-c", "echo $0 $PPID") == "sh 0"
    assert every.run("exec", "web", "sh", "-c", "exit 9", check=False).returncode == 9
    assert every.run("exec", "web", "nothing", check=False).returncode == 127
    every.run("pause", "web")
    assert every.container("web").state == "paused"
    every.run("unpause", "web")
    every.run("stop", "web")
    assert every.output("wait", "web") == "4"
    assert every.logs("web") == "up\nbye\n"
    every.run("restart", "-t", "0", "web")
    every.wait_for(lambda: every.logs("web") == "up\nbye\nup\n")
    every.run("kill", "web")
    assert every.container("web").exit_code == 137
    every.run("rm", "web")


def test_a_terminal_is_one(every: World) -> None:
    screen = Terminal(every, "run", "--rm", "-it", *NONE, "busybox", "sh", rows=33, columns=99)
    try:
        screen.read_until("# ")
        screen.type("stty size; tty\n")
        assert "33 99" in screen.read_until("/dev/")
        screen.type("exit 6\n")
        assert screen.wait() == 6
    finally:
        screen.kill()


def test_exec_has_a_terminal_of_its_own(every: World) -> None:
    every.run("run", "-d", "--name", "host", *NONE, "busybox", "sleep", "60")
    screen = Terminal(every, "exec", "-it", "host", "sh", rows=21, columns=77)
    try:
        screen.read_until("# ")
        screen.type("stty size\n")
        screen.read_until("21 77")
        screen.type("exit 8\n")
        assert screen.wait() == 8
    finally:
        screen.kill()
        every.run("rm", "-f", "host")


def test_a_bridged_container_reaches_its_gateway(every: World) -> None:
    script = "ip route | grep -o 'via [0-9.]*' | cut -d' ' -f2 | xargs ping -c1 -W2 >/dev/null && echo reached"
    assert every.output("run", "--rm", "busybox", "sh", "-c", script) == "reached"


def test_a_memory_limit_is_kept_and_told(every: World) -> None:
    script = "tail /dev/zero"
    done = every.run("run", "--name", "eater", "-m", "16m", *NONE, "busybox", "sh", "-c", f"exec {script}", check=False)
    assert done.returncode == 137
    assert every.container("eater").oom
    every.run("rm", "eater")


def test_seccomp_and_capabilities_are_in_place(every: World) -> None:
    shown = every.output("run", "--rm", *NONE, "busybox", "cat", "/proc/self/status")
    fields = dict(line.split(":", 1) for line in shown.splitlines() if ":" in line)
    assert fields["Seccomp"].strip() == "2"
    assert fields["CapEff"].strip() == fields["CapBnd"].strip() == "00000000a80425fb"
    assert fields["CapInh"].strip() == fields["CapAmb"].strip() == "0" * 16
    running = every.output("run", "-d", "--name", "box", *NONE, "busybox", "sleep", "60")
    assert running
    inside = every.output("exec", "box", "cat", "/proc/self/status")
    fields = dict(line.split(":", 1) for line in inside.splitlines() if ":" in line)
    assert fields["Seccomp"].strip() == "2"
    assert fields["CapEff"].strip() == "00000000a80425fb"
    every.run("rm", "-f", "box")


def test_nothing_is_left_behind(every: World) -> None:
    every.run("run", "--rm", "busybox", "true")
    every.run("run", "--rm", "busybox", "no-such-program", check=False)
    every.clear()
    assert every.left() == []
