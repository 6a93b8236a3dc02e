"""Networks, published ports, volumes and binds of real containers, with both OCI runtimes. Some 300 ms a test."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardtack.linux import mount
from support.tack import Tack, tack

__all__ = ["tack"]

SERVER = "busybox nc -ll -p 80 -e echo cookie"


@pytest.fixture(params=["crun", "runc"])
def runtime(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tack: Tack) -> str:
    """What needs the OCI runtime's help is tried with both."""
    tack.environment["HARDTACK_RUNTIME"] = request.param
    return str(request.param)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, address: str = "127.0.0.1") -> bytes:
    with socket.create_connection((address, port), timeout=3) as client:
        return client.recv(100)


def answers(port: int) -> bool:
    try:
        return ask(port) == b"cookie\n"
    except OSError:
        return False


def test_a_published_port_answers_and_is_free_as_soon_as_run_returns(tack: Tack) -> None:
    port = free_port()
    tack("run", "-d", "--name", "web", "-p", f"{port}:80", "busybox", *SERVER.split())
    tack.world.wait_for(lambda: answers(port), "an answer")
    said = tack.fails("run", "--rm", "-p", f"127.0.0.1:{port}:80", "busybox", "true", code=125)
    assert f"Bind for 127.0.0.1:{port} failed: port is already allocated" in said
    tack("rm", "-f", "web")
    for _ in range(3):
        tack("run", "--rm", "-p", f"{port}:80", "busybox", "true")
    assert tack("ps", "-aq") == ""
    assert tack.world.left() == []


def test_a_port_of_a_host_process_is_refused_with_125(tack: Tack) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        said = tack.fails("run", "--rm", "-p", f"{port}:80", "busybox", "true", code=125)
    assert f"Bind for 0.0.0.0:{port} failed: port is already allocated" in said and "another program" in said
    assert tack("ps", "-aq") == ""


def test_modes_of_networks(tack: Tack, runtime: str) -> None:
    def interfaces(*words: str) -> list[str]:
        found = tack("run", "--rm", *words, "busybox", "ip", "-o", "link")
        return [line.split(": ")[1].partition("@")[0] for line in found.splitlines()]

    assert interfaces() == ["lo", "eth0"]
    assert interfaces("--network", "none") == ["lo"]
    assert "UP" in tack("run", "--rm", "--network", "none", "busybox", "ip", "-o", "link")
    assert set(interfaces("--network", "host")) >= {"lo"} and "eth0@" not in interfaces("--network", "host")
    tack("run", "-d", "--name", "first", "busybox", *SERVER.split())
    address = tack("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "first")
    shared = tack("run", "--rm", "--network", "container:first", "busybox", "ip", "-4", "-o", "addr", "show", "eth0")
    assert f" {address}/" in shared
    hosts = tack("run", "--rm", "--network", "container:first", "busybox", "cat", "/etc/hosts")
    assert hosts.splitlines()[-1].startswith(f"{address}\t")
    other = tack("run", "--rm", "busybox", "nc", "-w", "3", address, "80")
    assert other == "cookie"
    assert "network nowhere not found" in tack.fails("run", "--rm", "--network", "nowhere", "busybox", "true", code=125)


def test_names_inside(tack: Tack) -> None:
    words = ("--hostname", "oven", "--add-host", "db:192.0.2.7", "--add-host", "host:host-gateway")
    dns = ("--dns", "192.0.2.53", "--dns-search", "corp.example", "--dns-option", "ndots:2")
    text = tack("run", "--rm", *words, *dns, "busybox", "sh", "-c", "cat /etc/hosts /etc/resolv.conf; ip route")
    lines = text.splitlines()
    gateway = next(line.split()[2] for line in lines if line.startswith("default via"))
    assert "192.0.2.7\tdb" in lines and f"{gateway}\thost" in lines
    assert any(line.endswith("\toven") for line in lines)
    assert {"nameserver 192.0.2.53", "search corp.example", "options ndots:2"} <= set(lines)


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """A directory with a mount below it that nobody else sees move; shared, so that later mounts may travel."""
    place = tmp_path / "tree"
    (place / "sub").mkdir(parents=True)
    mount.mount(str(place), str(place), None, mount.MS_BIND)
    mount.mount(None, str(place), None, mount.MS_SHARED)
    mount.mount("tmpfs", str(place / "sub"), "tmpfs")
    (place / "sub/below").touch()
    yield place
    mount.unmount_all(str(place))


def test_binds_are_as_read_only_and_as_deep_as_they_were_asked_to_be(tack: Tack, runtime: str, tree: Path) -> None:
    def tries(options: str) -> str:
        script = "touch /d/x 2>/dev/null && echo top; touch /d/sub/x 2>/dev/null && echo sub; ls /d/sub"
        words = ("--mount", f"type=bind,src={tree},target=/d{options}")
        return " ".join(tack("run", "--rm", *words, "busybox", "sh", "-c", script).split())

    assert tries(",ro") == "below"
    assert tries(",ro,bind-recursive=readonly") == "below"
    assert tries(",ro,bind-recursive=writable") == "sub below x"
    assert tries("") == "top sub below x"
    assert tries(",bind-recursive=disabled") == "top sub x"
    assert sorted(os.listdir(tree / "sub")) == ["below", "x"]


def test_what_the_host_mounts_later_arrives_where_rslave_asks_for_it(tack: Tack, runtime: str, tree: Path) -> None:
    tack("run", "-d", "--name", "open", "-v", f"{tree}:/d:rslave", "busybox", "sleep", "100")
    tack("run", "-d", "--name", "closed", "-v", f"{tree}:/d", "busybox", "sleep", "100")
    (tree / "late").mkdir()
    mount.mount("tmpfs", str(tree / "late"), "tmpfs")
    (tree / "late/file").touch()
    assert tack("exec", "open", "ls", "/d/late") == "file"
    assert tack("exec", "closed", "ls", "/d/late") == ""


def test_a_single_file_is_mounted_read_only(tack: Tack, runtime: str, tmp_path: Path) -> None:
    (tmp_path / "settings").write_text("a=b\n")
    words = ("-v", f"{tmp_path}/settings:/settings:ro", "busybox")
    assert tack("run", "--rm", *words, "cat", "/settings") == "a=b"
    assert "Read-only" in tack.fails("run", "--rm", *words, "sh", "-c", "echo >/settings")


def test_tmpfs_has_the_size_and_mode_it_was_given(tack: Tack, runtime: str) -> None:
    words = ("--mount", "type=tmpfs,target=/a,tmpfs-size=1m,tmpfs-mode=0710", "--tmpfs", "/b:exec,size=2m")
    text = tack("run", "--rm", *words, "busybox", "sh", "-c", "grep -E ' /[ab] ' /proc/mounts; stat -c %a /a")
    first, second, mode = text.splitlines()
    assert "size=1024k" in first and "noexec" in first and mode == "710"
    assert "size=2048k" in second and "noexec" not in second and "nosuid" in second


def test_a_volume_begins_with_the_image_s_content_and_outlives_containers(tack: Tack) -> None:
    assert "busybox" in tack("run", "--rm", "-v", "tools:/bin", "busybox", "busybox", "ls", "/bin").split()
    tack("run", "--rm", "-v", "tools:/tools", "busybox", "touch", "/tools/mine")
    assert "mine" in tack("run", "--rm", "-v", "tools:/bin:ro", "busybox", "ls", "/bin").split()
    assert "Read-only" in tack.fails("run", "--rm", "-v", "tools:/x:ro", "busybox", "touch", "/x/y")
    assert tack("volume", "ls", "-q") == "tools"


def test_anonymous_volumes_go_with_rm_v_and_with_run_rm(tack: Tack) -> None:
    tack("run", "--rm", "-v", "/data", "busybox", "true")
    tack.world.wait_for(lambda: tack("volume", "ls", "-q") == "", "the end of the volume")
    tack("create", "--name", "box", "-v", "/data", "busybox", "true")
    (name,) = tack("volume", "ls", "-q").splitlines()
    assert "volume is in use" in tack.fails("volume", "rm", name)
    tack("rm", "-v", "box")
    assert tack("volume", "ls", "-q") == ""
    tack("create", "--name", "box", "-v", "/data", "busybox", "true")
    tack("rm", "box")
    assert len(tack("volume", "ls", "-q").split()) == 1


def test_what_cannot_be_mounted_is_refused_before_anything_runs(tack: Tack, tmp_path: Path) -> None:
    for words, said in (
        (("--mount", f"type=bind,src={tmp_path}/nix,target=/x"), "bind source path does not exist"),
        (("-v", "/a:/b:rshared"), "propagation rshared"),
        (("-v", "a:b:c:d"), "invalid mount"),
        (("-v", "box:/x", "--tmpfs", "/x"), "Duplicate mount point"),
    ):
        assert said in tack.fails("run", "--rm", *words, "busybox", "true", code=125)
    assert tack("ps", "-aq") == ""
