"""ps, inspect, logs, top, port, diff and prune on real containers, as people and scripts read them. 200 ms a test."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from support.containers import World
from support.tack import Tack, tack

__all__ = ["tack"]


def lines(text: str) -> list[str]:
    return text.splitlines()


def test_ps_shows_what_runs_and_with_a_everything(tack: Tack) -> None:
    first = tack("run", "-d", "--name", "up", "-p", "18080:80", "--expose", "90", "busybox", "sleep", "1000")
    tack.run("run", "--name", "down", "busybox", "sh", "-c", "exit 3", code=3)
    tack("create", "--name", "new", "busybox", "echo", "a b", "c")
    table = lines(tack("ps"))
    assert table[0].split() == ["CONTAINER", "ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]
    assert len(table) == 2 and table[1].startswith(first[:12])
    assert '"sleep 1000"' in table[1] and "0.0.0.0:18080->80/tcp, 90/tcp" in table[1]
    shown = tack("ps", "-a", "--no-trunc", "--format", "{{.Names}}|{{.Command}}|{{.State}}|{{.Status}}")
    found = [line.split("|") for line in lines(shown)]
    assert [line[0] for line in found] == ["new", "down", "up"]
    assert found[0][1:] == ["\"echo 'a b' c\"", "created", "Created"]
    assert found[1][3].startswith("Exited (3)") and found[2][3].startswith("Up ")
    assert tack("ps", "-q", "--no-trunc") == first
    assert tack("ps", "-l", "--format", "{{.Names}}") == "new"
    assert lines(tack("ps", "-n", "2", "--format", "{{.Names}}")) == ["new", "down"]
    assert "(virtual " in tack("ps", "-s")
    assert json.loads(tack("ps", "--format", "json"))["Names"] == "up"
    assert tack("ps", "--format", "{{.ID}} {{.Ports}}").startswith(first[:12])


def test_filters_of_ps(tack: Tack) -> None:
    tack("run", "-d", "--name", "web1", "-l", "tier=front", "-l", "x", "-v", "box:/data", "busybox", "sleep", "1000")
    tack("create", "--name", "web2", "-l", "tier=back", "--network", "none", "busybox", "true")
    tack.run("run", "--name", "job", "busybox", "sh", "-c", "exit 3", code=3)

    def names(*filters: str) -> list[str]:
        words = [word for text in filters for word in ("-f", text)]
        return sorted(lines(tack("ps", "-a", *words, "--format", "{{.Names}}")))

    assert names("name=web") == ["web1", "web2"]
    assert names("name=^web1$") == names("name=^/web1$") == ["web1"]
    assert names("label=tier") == ["web1", "web2"]
    assert names("label=tier=front", "label=x") == ["web1"]
    assert names("status=exited", "status=created") == ["job", "web2"]
    assert names("exited=3") == ["job"]
    assert names("network=none") == ["web2"]
    assert names("volume=box") == names("volume=/data") == ["web1"]
    assert names("ancestor=busybox") == ["job", "web1", "web2"]
    assert names("ancestor=nothing") == []
    assert names("since=web1") == ["job", "web2"]
    assert names("before=job") == ["web1", "web2"]
    assert "invalid filter" in tack.fails("ps", "-f", "colour=red")
    assert "invalid filter" in tack.fails("ps", "-f", "status=happy")
    assert "No such container" in tack.fails("ps", "-f", "since=nobody")


def test_an_image_that_lost_its_name_is_shown_by_its_id(tack: Tack) -> None:
    tack("tag", "busybox", "other")
    tack("create", "--name", "box", "other", "true")
    assert tack("ps", "-a", "--format", "{{.Image}}") == "other"


def test_ps_settles_a_container_whose_monitor_was_killed(tack: Tack, world: World) -> None:
    tack("run", "-d", "--name", "box", "busybox", "sleep", "1000")
    row = world.container("box")
    os.kill(row.pid, signal.SIGSTOP)
    os.kill(row.monitor, signal.SIGKILL)
    os.kill(row.pid, signal.SIGKILL)
    world.wait_for(lambda: not world.container("box").claimed(), "the monitor's end")
    assert tack("ps", "--format", "{{.Names}}") == ""
    assert tack("ps", "-a", "--format", "{{.Status}}").startswith("Exited (")


def test_inspect_has_the_fields_that_scripts_read(tack: Tack) -> None:
    ident = tack(
        "run", "-d", "--name", "box", "-p", "127.0.0.1:0:80", "-v", "vol:/data:ro", "-e", "A=b", "busybox", "sleep", "9"
    )
    found = tack.inspect("box")
    assert found["Id"] == ident and found["Name"] == "/box" and found["Path"] == "sleep" and found["Args"] == ["9"]
    assert found["State"]["Running"] and found["State"]["Pid"] > 0 and found["State"]["Status"] == "running"
    assert found["State"]["StartedAt"] > found["Created"] and found["State"]["FinishedAt"] == "0001-01-01T00:00:00Z"
    assert "A=b" in found["Config"]["Env"] and found["Config"]["Image"] == "busybox"
    (mount,) = found["Mounts"]
    assert (mount["Type"], mount["Name"], mount["Destination"], mount["RW"]) == ("volume", "vol", "/data", False)
    network = found["NetworkSettings"]
    (binding,) = network["Ports"]["80/tcp"]
    assert binding["HostIp"] == "127.0.0.1" and int(binding["HostPort"]) > 1024
    assert network["IPAddress"] == network["Networks"]["bridge"]["IPAddress"] != ""
    assert found["HostConfig"]["RestartPolicy"] == {"Name": "no", "MaximumRetryCount": 0}
    assert found["HostConfig"]["NetworkMode"] == "bridge" and found["LogPath"].endswith("-json.log")
    assert (
        tack("inspect", "-f", "{{.State.Status}} {{.NetworkSettings.Networks.bridge.IPPrefixLen}}", "box")
        == "running 20"
    )
    assert tack("port", "box") == f"80/tcp -> 127.0.0.1:{binding['HostPort']}"
    assert tack("port", "box", "80") == tack("port", "box", "80/tcp") == f"127.0.0.1:{binding['HostPort']}"
    assert "No public port '81/tcp'" in tack.fails("port", "box", "81")
    assert "SizeRw" not in found and "SizeRw" in json.loads(tack("inspect", "-s", "box"))[0]
    done = tack.run("inspect", "box", "nobody", code=1)
    assert len(json.loads(done.stdout)) == 1 and b"No such object: nobody" in done.stderr


def test_logs_keep_the_streams_apart_and_know_the_time(tack: Tack) -> None:
    script = "for i in 1 2 3; do echo out $i; echo err $i >&2; sleep 0.05; done"
    tack("run", "--name", "box", "busybox", "sh", "-c", script)
    done = tack.run("logs", "box")
    assert done.stdout == b"out 1\nout 2\nout 3\n" and done.stderr == b"err 1\nerr 2\nerr 3\n"
    assert tack("logs", "-n", "0", "box") == ""
    last = tack.run("logs", "--tail", "2", "box")
    assert last.stdout + last.stderr == b"out 3\nerr 3\n"
    stamped = [line.split(" ", 1) for line in lines(tack("logs", "-t", "box"))]
    assert [line[1] for line in stamped] == ["out 1", "out 2", "out 3"]
    assert all(len(line[0]) == 30 and line[0].endswith("Z") for line in stamped)
    assert tack("logs", "--since", stamped[1][0], "box") == "out 2\nout 3"
    assert tack("logs", "--until", stamped[1][0], "box") == "out 1\nout 2"
    assert tack("logs", "--since", "1h", "box") == "out 1\nout 2\nout 3"
    assert tack("logs", "--until", "1h", "box") == ""
    assert "invalid argument" in tack.fails("logs", "--since", "soon", "box", code=125)
    assert "invalid argument" in tack.fails("logs", "-n", "many", "box", code=125)
    assert "No such container" in tack.fails("logs", "nobody")


def test_logs_follow_over_rotations_until_the_container_ends(tack: Tack) -> None:
    script = "i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done; sleep 0.3; printf end"
    options = ("--log-opt", "max-size=20k", "--log-opt", "max-file=50")
    tack("run", "-d", "--name", "box", *options, "busybox", "sh", "-c", f"sleep 0.2; {script}")
    follower = tack.start("logs", "-f", "box")
    out, _ = follower.communicate(timeout=20)
    assert out.decode().split("\n") == [*map(str, range(3000)), "end"]
    assert follower.returncode == 0
    assert tack("logs", "-f", "--tail", "2", "box") == "2999\nend"


def test_logs_follow_shows_lines_at_once_and_ends_soon_after(tack: Tack) -> None:
    tack("run", "-d", "--name", "box", "busybox", "sh", "-c", "echo ready; sleep 0.6; echo bye")
    follower = tack.start("logs", "-f", "box")
    assert follower.stdout is not None
    assert follower.stdout.readline() == b"ready\n"
    assert follower.stdout.readline() == b"bye\n"
    before = time.monotonic()
    assert follower.wait(timeout=10) == 0
    assert time.monotonic() - before < 2.5


def test_logs_of_a_container_without_any_are_refused_or_empty(tack: Tack) -> None:
    tack("run", "--name", "silent", "--log-driver", "none", "busybox", "echo", "x")
    assert "--log-driver none" in tack.fails("logs", "silent", code=125)
    tack("create", "--name", "new", "busybox", "true")
    assert tack("logs", "new") == tack("logs", "-f", "new") == ""


def test_top_tells_the_processes_of_the_container_alone(tack: Tack) -> None:
    tack("run", "-d", "--name", "box", "-u", "65534", "busybox", "sh", "-c", "sleep 77 & sleep 88")
    tack.world.wait_for(lambda: "sleep 77" in tack("top", "box"), "both processes")
    table = lines(tack("top", "box"))
    assert table[0].split() == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    assert {line.split()[0] for line in table[1:]} == {"nobody"}
    assert any(line.endswith("sleep 77") for line in table) and any(line.endswith("sleep 88") for line in table)
    short = lines(tack("top", "box", "-o", "pid,comm"))
    assert short[0].split() == ["PID", "COMMAND"] and len(short) == len(table)
    assert "PID" in tack.fails("top", "box", "-o", "comm")
    tack.run("kill", "box")
    tack.world.wait_for(lambda: "is not running" in tack.run("top", "box", code=None).stderr.decode(), "its end")


def test_diff_shows_what_the_container_did_and_not_what_starting_it_did(tack: Tack) -> None:
    tack("run", "--name", "same", "-v", "/data", "-v", "vol:/deep/er", "-w", "/tmp", "busybox", "true")
    assert tack("diff", "same") == ""
    script = "touch /tmp/new; rm /bin/ls; mkdir -p /opt/a; echo x > /opt/a/b; echo x > /data/y; chmod 700 /root"
    tack("run", "--name", "other", "-v", "/data", "busybox", "sh", "-c", script)
    assert lines(tack("diff", "other")) == [
        "C /bin", "D /bin/ls", "A /opt", "A /opt/a", "A /opt/a/b", "C /root", "C /tmp", "A /tmp/new",
    ]  # fmt: skip
    tack("create", "--name", "new", "busybox", "true")
    assert tack("diff", "new") == ""


@pytest.mark.parametrize("answer", ["n\n", "", "y\n"])
def test_prune_asks_and_takes_only_what_does_not_run(tack: Tack, answer: str) -> None:
    up = tack("run", "-d", "busybox", "sleep", "1000")
    down = tack("create", "-l", "old", "busybox", "true")
    kept = tack("create", "-l", "keep", "busybox", "true")
    said = tack("container", "prune", "--filter", "label!=keep", stdin=answer.encode())
    assert said.startswith("WARNING! This will remove all stopped containers.\nAre you sure")
    left = set(lines(tack("ps", "-aq", "--no-trunc")))
    if answer != "y\n":
        assert left == {up, down, kept}
        return
    assert left == {up, kept}
    assert f"Deleted Containers:\n{down}\n\nTotal reclaimed space: " in said
    assert tack("container", "prune", "-f", "--filter", "until=1h") == "Total reclaimed space: 0B"
