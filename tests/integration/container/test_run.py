"""`tack run` in the foreground and the background: what goes in, what comes out, what it exits with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.containers import TACK, World

NONE = ("--network", "none")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["true"], 0),
        (["sh", "-c", "exit 3"], 3),
        (["sh", "-c", "exit 255"], 255),
        (["no-such-program"], 127),
        (["/no/such/program"], 127),
        (["/etc"], 126),
        (["/etc/passwd"], 126),
    ],
)
def test_the_exit_code_is_the_containers_or_dockers(world: World, words: list[str], code: int) -> None:
    assert world.run("run", "--rm", *NONE, "busybox", *words, check=False).returncode == code


def test_a_signal_that_ended_it_counts_from_128(world: World) -> None:
    running = world.popen("run", "--rm", "--name", "victim", *NONE, "busybox", "sleep", "60")
    world.wait_for(lambda: "victim" in world.output("ps", "--format", "{{.Names}}"))
    world.run("kill", "victim")
    assert running.wait(20) == 137


@pytest.mark.parametrize(
    "words",
    [
        ["--memory", "1m", "busybox"],
        ["--network", "nowhere", "busybox", "true"],
        ["--pull", "never", "no-such-image"],
        ["--cap-add", "NONSENSE", "busybox", "true"],
        ["--volume", "relative", "--no-such-flag", "busybox"],
        ["--health-cmd", "true", "busybox", "true"],
        ["--init", "busybox", "true"],
        ["--gpus", "all", "busybox", "true"],
        ["--security-opt", "seccomp=/no/such/file", "busybox", "true"],
        ["--log-driver", "syslog", "busybox", "true"],
        ["--workdir", "relative", "busybox", "true"],
    ],
)
def test_what_cannot_be_is_refused_with_125_and_leaves_nothing(world: World, words: list[str]) -> None:
    done = world.run("run", *words, check=False)
    assert done.returncode == 125
    assert done.stderr.startswith("tack: ")
    assert "Traceback" not in done.stderr
    world.run("rm", "-f", *world.run("ps", "-aq").stdout.split() or ["nobody"], check=False)


def test_both_streams_arrive_apart_and_whole(world: World) -> None:
    done = world.run("run", "--rm", *NONE, "busybox", "sh", "-c", "echo out; echo err >&2; printf end")
    assert (done.stdout, done.stderr) == ("out\nend", "err\n")


def test_input_reaches_the_container_and_ends_with_it(world: World) -> None:
    text = "".join(f"line {number}\n" for number in range(20_000))
    done = world.run("run", "--rm", "-i", *NONE, "busybox", "md5sum", data=text)
    import hashlib

    assert done.stdout.split()[0] == hashlib.md5(text.encode()).hexdigest()


def test_without_i_there_is_no_input(world: World) -> None:
    assert world.run("run", "--rm", *NONE, "busybox", "cat", data="not for you").stdout == ""


def test_input_and_output_of_megabytes_pass_at_once(world: World) -> None:
    text = os.urandom(3 << 19).hex()
    assert world.run("run", "--rm", "-i", *NONE, "busybox", "cat", data=text).stdout == text


def test_a_slow_reader_loses_nothing(world: World) -> None:
    count = 6_000_000
    running = world.popen("run", "--rm", *NONE, "busybox", "sh", "-c", f"yes | head -c {count}", stdout=-1)
    assert running.stdout is not None
    time.sleep(1)
    first = os.read(running.stdout.fileno(), 4096)
    time.sleep(0.5)
    rest = running.stdout.read()
    assert running.wait(20) == 0
    assert len(first) + len(rest) == count


def test_a_reader_that_goes_away_ends_the_command_and_not_the_container(world: World, tmp_path: Path) -> None:
    script = "for i in $(seq 300); do echo $i; done; sleep 0.3; echo done > /out/done"
    running = world.popen("run", "--rm", "-v", f"{tmp_path}:/out", *NONE, "busybox", "sh", "-c", script, stdout=-1)
    assert running.stdout is not None
    running.stdout.close()
    assert running.wait(20) == 141
    world.wait_for((tmp_path / "done").exists, "the end of the script")


def test_the_environment_directory_user_and_name_are_as_asked(world: World, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("# comment\nFROM_FILE=a b\nOURS\n")
    script = "echo $A-$FROM_FILE-$OURS-$(pwd)-$(id -u):$(id -g)-$(hostname)-$HOSTNAME-$HOME"
    words = ["-e", "A=1", "--env-file", str(tmp_path / "env"), "-w", "/made/here", "-u", "nobody", "-h", "oven"]
    done = world.run("run", "--rm", *NONE, *words, "busybox", "sh", "-c", script)
    assert done.stdout == "1-a b--/made/here-65534:65534-oven-oven-/\n"


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        ("", "0:0:0"),
        ("root", "0:0:0"),
        ("65534", "65534:65534:65534"),
        ("1234", "1234:0:0"),
        ("1234:5678", "1234:5678:5678"),
        ("nobody:root", "65534:0:0"),
    ],
)
def test_a_user_is_looked_up_in_the_image(world: World, user: str, shown: str) -> None:
    words = ["-u", user] if user else []
    script = 'echo "$(id -u):$(id -g):$(id -G)"'
    assert world.output("run", "--rm", *NONE, *words, "busybox", "sh", "-c", script) == shown


def test_a_user_that_the_image_does_not_know_is_an_error(world: World) -> None:
    done = world.run("run", "--rm", *NONE, "-u", "stranger", "busybox", "true", check=False)
    assert done.returncode == 125
    assert "unable to find user stranger: no matching entries in passwd file" in done.stderr


def test_entrypoint_and_command_go_together_as_dockers(world: World) -> None:
    assert world.output("run", "--rm", *NONE, "--entrypoint", "echo", "busybox", "a", "b") == "a b"
    done = world.run("run", "--rm", *NONE, "--entrypoint", "", "busybox", check=False)
    assert "no command specified" in done.stderr


def test_detached_prints_the_id_and_nothing_else(world: World) -> None:
    ident = world.run("run", "-d", *NONE, "busybox", "sleep", "30").stdout
    assert len(ident) == 65 and world.container(ident.strip()).state == "running"


def test_detached_returns_while_its_output_is_still_open_elsewhere(world: World) -> None:
    began = time.monotonic()
    world.run("run", "-d", *NONE, "busybox", "sleep", "5")
    assert time.monotonic() - began < 4


def test_rm_takes_everything_away_and_frees_the_name_at_once(world: World) -> None:
    for _ in range(5):
        world.run("run", "--rm", "--name", "same", *NONE, "busybox", "true")
    world.clear()
    assert not [line for line in world.left() if "volume" not in line]


def test_a_name_that_is_taken_is_refused_in_dockers_words(world: World) -> None:
    ident = world.output("create", "--name", "taken", "busybox", "true")
    done = world.run("run", "--name", "taken", "busybox", "true", check=False)
    assert done.returncode == 125
    assert f'Conflict. The container name "/taken" is already in use by container "{ident}"' in done.stderr


def test_the_id_is_written_to_the_cidfile(world: World, tmp_path: Path) -> None:
    ident = world.output("run", "-d", "--cidfile", str(tmp_path / "cid"), *NONE, "busybox", "true")
    assert (tmp_path / "cid").read_text() == ident
    assert world.run("run", "--cidfile", str(tmp_path / "cid"), "busybox", "true", check=False).returncode == 125


def test_signals_to_a_foreground_run_reach_the_process(world: World) -> None:
    script = "trap 'echo got; exit 7' USR1; echo ready; while :; do sleep 0.05; done"
    running = world.popen("run", "--rm", *NONE, "busybox", "sh", "-c", script, stdout=-1)
    assert running.stdout is not None and running.stdout.readline() == b"ready\n"
    running.send_signal(signal.SIGUSR1)
    assert running.stdout.read() == b"got\n"
    assert running.wait(20) == 7


def test_without_sig_proxy_a_signal_ends_the_client_alone(world: World) -> None:
    running = world.popen("run", "--name", "left", "--sig-proxy=false", *NONE, "busybox", "sleep", "60", stdout=-1)
    world.wait_for(lambda: world.output("ps", "-q"))
    running.send_signal(signal.SIGTERM)
    running.wait(20)
    assert world.container("left").state == "running"


def test_a_client_that_is_killed_leaves_the_container_running(world: World) -> None:
    running = world.popen("run", "--name", "left", *NONE, "busybox", "sh", "-c", "while :; do echo x; done", stdout=-1)
    world.wait_for(lambda: world.output("ps", "-q"))
    running.kill()
    running.wait(20)
    time.sleep(0.3)
    assert world.container("left").state == "running"
    assert world.output("exec", "left", "echo", "alive") == "alive"


def test_tmpfs_read_only_and_shm_size_are_honoured(world: World) -> None:
    script = "touch /x 2>/dev/null && echo writable; touch /scratch/y && df -m /dev/shm | tail -1 | awk '{print $2}'"
    words = ["--read-only", "--tmpfs", "/scratch:size=1m", "--shm-size", "8m"]
    assert world.output("run", "--rm", *NONE, *words, "busybox", "sh", "-c", script) == "8"


def test_files_of_names_are_the_containers_own(world: World) -> None:
    words = ["--add-host", "bakery:10.1.2.3", "--dns", "192.0.2.53", "-h", "oven"]
    shown = world.output(
        "run", "--rm", *NONE, *words, "busybox", "cat", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"
    )
    assert "10.1.2.3\tbakery" in shown and "oven" in shown.splitlines() and "nameserver 192.0.2.53" in shown


def test_the_log_holds_what_was_written_in_dockers_form(world: World) -> None:
    world.run("run", "--name", "writer", *NONE, "busybox", "sh", "-c", "echo one; echo two >&2; printf 'a\\377b'")
    container = world.container("writer")
    log = Path(world.root.path) / "containers" / container.id / f"{container.id}-json.log"
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert {(entry["log"], entry["stream"]) for entry in entries} == {
        ("one\n", "stdout"),
        ("two\n", "stderr"),
        ("a\ufffdb", "stdout"),
    }
    assert all(entry["time"].endswith("Z") and len(entry["time"]) == 30 for entry in entries)


def test_a_log_is_rotated_and_bounded(world: World) -> None:
    words = ["--log-opt", "max-size=10k", "--log-opt", "max-file=2"]
    world.run("run", "--name", "talker", *words, *NONE, "busybox", "sh", "-c", "seq 2000")
    ident = world.container("talker").id
    sizes = [path.stat().st_size for path in (Path(world.root.path) / "containers" / ident).glob("*-json.log*")]
    assert len(sizes) == 2 and max(sizes) < 80_000


def test_log_driver_none_writes_nothing(world: World) -> None:
    done = world.run("run", "--name", "quiet", "--log-driver", "none", *NONE, "busybox", "echo", "seen")
    assert done.stdout == "seen\n"
    ident = world.container("quiet").id
    assert not list((Path(world.root.path) / "containers" / ident).glob("*.log"))


def test_a_runtime_that_is_not_there_is_told_with_what_to_do(world: World) -> None:
    done = world.run("run", "--rm", "--runtime", "no-such-runtime", *NONE, "busybox", "true", check=False)
    assert done.returncode == 125
    assert "no-such-runtime is not installed" in done.stderr and "Install crun or runc" in done.stderr
    with_variable = {**world.environment, "HARDTACK_RUNTIME": "/no/such/runtime"}
    words = [TACK, "run", "--rm", "busybox", "true"]
    done = subprocess.run(words, env=with_variable, capture_output=True, text=True, check=False)
    assert done.returncode == 125 and "/no/such/runtime is not installed" in done.stderr
    assert world.output("ps", "-aq") == ""
