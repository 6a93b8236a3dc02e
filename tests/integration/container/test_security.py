"""The engine's rules of security, each tried from inside a real container."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from support.containers import World

NONE = ("--network", "none")
# What a static busybox cannot do itself is done by the host's Python, put into the container with what it needs.
PYTHON_MOUNTS = [
    word
    for path in ("/usr", "/lib", "/lib64", "/root/.pyenv", "/work")
    if os.path.exists(path)
    for word in ("-v", f"{os.path.realpath(path)}:{path}:ro")
]
PYTHON = os.path.realpath(sys.executable)


def python(world: World, code: str, *words: str) -> str:
    """Run Python in a container whose /usr and the like are the host's, read-only."""
    return world.output("run", "--rm", *NONE, *PYTHON_MOUNTS, *words, "busybox", PYTHON, "-I", "-S", "-c", code)


def test_no_descriptor_of_ours_reaches_a_container(world: World) -> None:
    # ls itself holds the fourth, the directory that it reads
    assert world.output("run", "--rm", *NONE, "busybox", "ls", "/proc/self/fd").split() == ["0", "1", "2", "3"]
    world.run("run", "-d", "--name", "box", *NONE, "busybox", "sleep", "60")
    assert world.output("exec", "box", "ls", "/proc/self/fd").split() == ["0", "1", "2", "3"]


def test_no_descriptor_or_directory_of_the_host_is_reached_through_the_runtime(world: World) -> None:
    done = world.run("run", "--rm", *NONE, "-w", "/proc/self/fd/8", "busybox", "ls", "../../..", check=False)
    assert done.returncode != 0 or "boot" not in done.stdout
    for number in range(3, 12):
        words = ["-w", f"/proc/self/fd/{number}", "busybox", "cat", "../../../../../etc/hostname"]
        done = world.run("run", "--rm", *NONE, *words, check=False)
        assert Path("/etc/hostname").read_text().strip() not in done.stdout.split()


def test_every_descriptor_of_the_monitor_is_close_on_exec(world: World) -> None:
    world.run("run", "-d", "--name", "box", "-i", "busybox", "cat")
    monitor = world.container("box").monitor
    for entry in Path(f"/proc/{monitor}/fdinfo").iterdir():
        flags = next(line for line in entry.read_text().splitlines() if line.startswith("flags:"))
        if int(entry.name) > 2:
            assert int(flags.split()[1], 8) & os.O_CLOEXEC, os.readlink(f"/proc/{monitor}/fd/{entry.name}")
    assert os.readlink(f"/proc/{monitor}/cwd") == "/"


def test_sockets_and_files_of_the_run_directory_are_for_their_owner_alone(world: World) -> None:
    world.run("run", "-d", "--name", "box", *NONE, "busybox", "sleep", "60")
    folder = Path(world.root.run) / "containers" / world.container("box").id
    for name in ("attach.sock", "config.json", "stdout", "stderr"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name


@pytest.mark.parametrize("family", [38, 40, 12, 19, 23, 37])
def test_families_of_sockets_with_a_record_of_holes_are_refused(world: World, family: int) -> None:
    code = (
        "import _socket\n"
        f"try: _socket.socket({family}, _socket.SOCK_STREAM); print('open')\n"
        "except OSError as error: print(error.errno)"
    )
    assert python(world, code) == "1"


def test_calls_outside_of_the_profile_are_refused(world: World) -> None:
    code = (
        "import ctypes; libc = ctypes.CDLL(None, use_errno=True)\n"
        "def call(*words): ctypes.set_errno(0); libc.syscall(*words); return ctypes.get_errno()\n"
        # keyctl, bpf, userfaultfd, io_uring_setup, unshare(user), mount, kexec_load
        "print(call(250, 0), call(321, 0), call(323, 0), call(425, 1, 0), call(272, 0x10000000),"
        " call(165, 0, 0, 0, 0, 0), call(246, 0))"
    )
    assert python(world, code) == "1 1 1 1 1 1 1"


def test_an_unconfined_container_has_no_filter(world: World) -> None:
    words = ["--security-opt", "seccomp=unconfined"]
    assert "Seccomp:\t0" in world.output("run", "--rm", *NONE, *words, "busybox", "cat", "/proc/self/status")


def test_a_profile_of_ones_own_is_used(world: World, tmp_path: Path) -> None:
    (tmp_path / "profile.json").write_text(
        '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO",'
        ' "errnoRet": 95}]}'
    )
    words = ["--security-opt", f"seccomp={tmp_path / 'profile.json'}"]
    done = world.run("run", "--rm", *NONE, *words, "busybox", "mkdir", "/x", check=False)
    assert done.returncode == 1 and "not supported" in done.stderr.lower()


def test_no_new_privileges_is_honoured(world: World) -> None:
    status = world.output("run", "--rm", *NONE, "busybox", "cat", "/proc/self/status")
    assert "NoNewPrivs:\t0" in status
    words = ["--security-opt", "no-new-privileges"]
    assert "NoNewPrivs:\t1" in world.output("run", "--rm", *NONE, *words, "busybox", "cat", "/proc/self/status")


def test_the_primary_group_is_among_the_additional_ones(world: World) -> None:
    for user in ("nobody", "1000:2000", "0"):
        script = "grep -E '^(Gid|Groups):' /proc/self/status"
        shown = world.output("run", "--rm", *NONE, "-u", user, "busybox", "sh", "-c", script).split()
        assert shown[1] in shown[shown.index("Groups:") + 1 :]


def test_another_user_than_root_has_no_capability(world: World) -> None:
    shown = world.output("run", "--rm", *NONE, "-u", "nobody", "busybox", "cat", "/proc/self/status")
    fields = dict(line.split(":\t", 1) for line in shown.splitlines() if ":\t" in line)
    assert fields["CapEff"] == fields["CapPrm"] == fields["CapInh"] == fields["CapAmb"] == "0" * 16


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--cap-drop", "ALL"], 0),
        (["--cap-drop", "ALL", "--cap-add", "CHOWN"], 1),
        (["--cap-add", "net_admin"], 0xA80425FB | 1 << 12),
        (["--cap-drop", "CAP_CHOWN"], 0xA80425FB & ~1),
    ],
)
def test_capabilities_are_added_and_dropped(world: World, words: list[str], expected: int) -> None:
    shown = world.output("run", "--rm", *NONE, *words, "busybox", "grep", "CapEff", "/proc/self/status")
    assert int(shown.split()[1], 16) == expected


def test_a_capability_that_we_lack_is_refused_and_not_ignored(world: World) -> None:
    held = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapBnd"))
    if int(held.split()[1], 16) >> 24 & 1:
        pytest.skip("this process has CAP_SYS_RESOURCE")
    done = world.run("run", "--rm", "--cap-add", "SYS_RESOURCE", "busybox", "true", check=False)
    assert done.returncode == 125 and "does not hold it itself" in done.stderr


def test_masked_paths_are_empty_and_kernel_settings_read_only(world: World) -> None:
    script = "cat /proc/kcore 2>/dev/null | wc -c; ls /sys/firmware | wc -l; echo 1 > /proc/sys/kernel/panic"
    done = world.run("run", "--rm", *NONE, "busybox", "sh", "-c", script, check=False)
    assert done.stdout.split() == ["0", "0"]
    assert "Read-only file system" in done.stderr


def test_devices_are_those_of_a_container(world: World) -> None:
    script = "ls /dev; mknod /disk b 254 0 2>/dev/null; head -c1 /disk >/dev/null 2>&1 || echo refused"
    shown = world.output("run", "--rm", *NONE, "busybox", "sh", "-c", script).split()
    wanted = "console core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero refused"
    assert set(shown) <= set(wanted.split()) and shown[-1] == "refused"


def test_a_device_is_given_on_request(world: World) -> None:
    script = "ls -l /dev/oven; head -c1 /dev/oven | wc -c"
    shown = world.output("run", "--rm", *NONE, "--device", "/dev/zero:/dev/oven:r", "busybox", "sh", "-c", script)
    assert shown.endswith("1") and "1,   5" in shown


def test_privileged_has_all_that_we_have(world: World) -> None:
    held = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapBnd"))
    script = "grep -E '^(CapEff|Seccomp):' /proc/self/status; ls /dev | wc -l; echo > /proc/sys/kernel/domainname"
    shown = world.output("run", "--rm", *NONE, "--privileged", "busybox", "sh", "-c", script).split()
    assert shown[1] == held.split()[1] and shown[3] == "0" and int(shown[4]) > 20


def test_names_of_users_are_never_read_through_a_link_out_of_the_image(world: World) -> None:
    script = "ln -sf /proc/1/root/etc/passwd /etc/passwd; ln -sf ../../../../../../etc/group /etc/group"
    world.run("run", "--name", "linker", *NONE, "busybox", "sh", "-c", script)
    world.run("start", "-a", "linker")
    other = world.run("create", "--name", "other", *NONE, "-u", "messagebus", "busybox", "id", check=False)
    assert other.returncode == 0
    assert world.run("start", "other", check=False).returncode == 1


def test_a_working_directory_is_never_made_outside(world: World, tmp_path: Path) -> None:
    target = tmp_path / "outside"
    script = f"mkdir -p /a; ln -s {tmp_path} /a/link"
    world.run("run", "--name", "linker", "-w", "/a/link/outside", *NONE, "busybox", "sh", "-c", script, check=False)
    world.run("start", "-a", "linker", check=False)
    assert not target.exists()


def test_labels_do_not_reach_the_runtime(world: World) -> None:
    world.run("run", "-d", "--name", "box", "-l", "run.oci.handler=krun", *NONE, "busybox", "sleep", "60")
    folder = Path(world.root.run) / "containers" / world.container("box").id
    assert "krun" not in (folder / "config.json").read_text()


def test_the_environment_of_the_host_does_not_leak(world: World) -> None:
    done = world.run("run", "--rm", *NONE, "busybox", "env")
    assert {line.partition("=")[0] for line in done.stdout.splitlines()} == {"PATH", "HOSTNAME", "HOME"}


def test_a_private_cgroup_namespace_hides_the_path(world: World) -> None:
    shown = world.output("run", "--rm", *NONE, "--cgroupns", "private", "busybox", "cat", "/proc/self/cgroup")
    assert "hardtack" not in shown
    shown = world.output("run", "--rm", *NONE, "--cgroupns", "host", "busybox", "cat", "/proc/self/cgroup")
    assert f"/hardtack-{world.root.id}/" in shown
