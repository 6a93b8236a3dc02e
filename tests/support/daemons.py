"""Real engines of others for the client tests, each with a folder, a socket and a store of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_SECONDS_TO_START = 40


class Docker:
    """docker's client, pointed at a daemon of the tests' own."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket

    def __call__(self, *words: str, check: bool = True, **options: object) -> subprocess.CompletedProcess[str]:
        client = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker"
        return call([client, "-H", f"unix://{self.socket}", *words], check)


class Podman:
    """podman with a store of the tests' own, and the limits that a machine without CAP_SYS_RESOURCE can give."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        store = ["--root", f"{self.folder}/root", "--runroot", f"{self.folder}/run"]
        return call(["podman", *store, "--cgroup-manager", "cgroupfs", "--runtime", "runc", *words], check)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        limits = ["--ulimit", "nofile=20000:20000", "--ulimit", "nproc=10000:10000"]
        return self("run", "--network", "none", *limits, *words)


def call(words: list[str], check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; a failure shows what it said."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=100)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done


@contextmanager
def dockerd(folder: Path, *options: str) -> Iterator[Docker]:
    """Debian's docker daemon on a socket in `folder`; ended, and unmounted, by the process id that we got."""
    program = "/usr/sbin/dockerd"
    if not Path(program).exists() or os.geteuid() != 0:
        pytest.skip("needs root and dockerd (Debian: docker.io)")
    socket = folder / "docker.sock"
    words = [program, "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
    words += ["-H", f"unix://{socket}", "--bridge", "none", "--iptables=false", "--ip6tables=false", *options]
    environment = os.environ | {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    with open(folder / "log", "wb") as log:
        daemon = subprocess.Popen(words, env=environment, stdout=log, stderr=log)
    docker = Docker(socket)
    try:
        until = time.monotonic() + _SECONDS_TO_START
        while docker("version", check=False).returncode:
            if daemon.poll() is not None or time.monotonic() > until:
                pytest.fail(f"dockerd did not start:\n{(folder / 'log').read_text()[-2000:]}")
            time.sleep(0.1)
        yield docker
    finally:
        daemon.terminate()
        daemon.wait(60)


def podman(folder: Path) -> Podman:
    if not shutil.which("podman"):
        pytest.skip("needs podman")
    return Podman(folder)
