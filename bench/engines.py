"""The engines that are compared: ours, the newest docker that can be built here, Debian's docker, Debian's podman.

Each lives in a folder of its own with its own daemon, socket and store, and is ended by the process id that we got.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench import peers

TACK = str(Path(sys.executable).parent / "tack")


class Engine:
    """A way to run containers, by its command line."""

    name = ""
    limits: tuple[str, ...] = ()  # flags that this engine needs on `run` on such a machine

    def __init__(self, folder: Path) -> None:
        self.folder = folder / self.name
        self.folder.mkdir()
        self.environment = dict(os.environ)

    def words(self, *words: str) -> list[str]:
        raise NotImplementedError

    def run_words(self, *words: str) -> list[str]:
        return self.words("run", *self.limits, *words)

    def pull_words(self, reference: str) -> list[str]:
        return self.words("pull", "-q", reference)

    def version(self) -> str:
        raise NotImplementedError

    def start(self) -> None:
        """Bring up what it needs before it answers."""

    def stop(self) -> None:
        """End what `start` began."""

    def call(self, words: list[str]) -> str:
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout.strip()

    def seconds(self, words: list[str]) -> float:
        """Wall time of one whole command, its output thrown away; a failure is an error, not a figure."""
        began = time.perf_counter()
        done = subprocess.run(
            words, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
        )
        took = time.perf_counter() - began
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}: {done.stderr.decode()[-300:]}")
        return took


class Tack(Engine):
    name = "tack"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.environment |= {"HARDTACK_ROOT": str(self.folder), "HARDTACK_RUN": str(self.folder / "run")}

    def words(self, *words: str) -> list[str]:
        return [TACK, *words]

    def version(self) -> str:
        return self.call(self.words("version", "--format", "{{.Client.Version}}"))


class Docker(Engine):
    """A dockerd of its own; `bin_folder` first on its PATH decides which."""

    name = "docker"
    bin_folder = ""
    client = "docker"

    def words(self, *words: str) -> list[str]:
        return [self.client, "-H", f"unix://{self.folder}/docker.sock", *words]

    def version(self) -> str:
        told = self.call(self.words("version", "--format", "{{.Server.Version}}"))
        return "daemon " + (peers.module_version("dockerd") if told == "library-import" else told)

    def start(self) -> None:
        environment = dict(self.environment)
        if self.bin_folder:
            environment["PATH"] = f"{self.bin_folder}:{environment['PATH']}"
        dockerd = shutil.which("dockerd", path=environment["PATH"]) or "dockerd"
        folder = self.folder
        words = [
            dockerd,
            "--data-root",
            f"{folder}/data",
            "--exec-root",
            f"{folder}/exec",
            "--pidfile",
            f"{folder}/pid",
        ]
        words += ["-H", f"unix://{folder}/docker.sock"]
        self.log = (folder / "log").open("wb")
        self.daemon = subprocess.Popen(words, env=environment, stdout=self.log, stderr=self.log)
        until = time.monotonic() + 30
        while True:
            try:
                self.call(self.words("version"))
                return
            except RuntimeError:
                if self.daemon.poll() is not None or time.monotonic() > until:
                    tail = (folder / "log").read_text()[-400:]
                    raise RuntimeError(f"{self.name} did not start: {tail}") from None
                time.sleep(0.1)

    def stop(self) -> None:
        self.daemon.terminate()
        self.daemon.wait(60)


class DebianDocker(Docker):
    name = "docker-debian"
    bin_folder = "/usr/sbin:/usr/bin"
    client = "/usr/bin/docker"


class Podman(Engine):
    name = "podman"
    limits = ("--ulimit", "nofile=20000:20000", "--ulimit", "nproc=10000:10000")
    runtime = "runc"

    def words(self, *words: str) -> list[str]:
        root = ["--root", f"{self.folder}/root", "--runroot", f"{self.folder}/run"]
        return ["podman", *root, "--cgroup-manager", "cgroupfs", "--runtime", self.runtime, *words]

    def start(self) -> None:
        """Choose crun, as podman would, where it takes this machine's control groups; else runc."""
        hybrid = Path("/sys/fs/cgroup/unified/cgroup.controllers")
        drained = not hybrid.exists() or not hybrid.read_text().strip()
        self.runtime = "crun" if drained and shutil.which("crun") else "runc"

    def pull_words(self, reference: str) -> list[str]:
        return self.words("pull", "-q", "--tls-verify=false", reference)

    def version(self) -> str:
        return f"{self.call(['podman', '--version'])} on {self.runtime}"


def candidates() -> list[tuple[type[Engine], str]]:
    """Each engine with the reason why it cannot be had, empty when it can."""
    newest = peers.folder("dockerd", "containerd", "runc")
    Docker.bin_folder = str(newest or "")
    return [
        (Tack, ""),
        (
            Docker,
            "" if newest and shutil.which("docker") else "no newer dockerd; needs Go to build it and docker's client",
        ),
        (DebianDocker, "" if Path("/usr/sbin/dockerd").exists() else "Debian's docker.io is not installed"),
        (Podman, "" if shutil.which("podman") else "podman is not installed"),
    ]


@contextlib.contextmanager
def available(folder: Path, only: set[str] | None) -> Iterator[list[Engine]]:
    """The engines that run here, started one after the other and stopped in the end."""
    engines: list[Engine] = []
    try:
        for kind, problem in candidates():
            if only and kind.name not in only:
                continue
            if problem:
                print(f"- {kind.name}: skipped: {problem}")
                continue
            engine = kind(folder)
            engine.start()
            engines.append(engine)
        yield engines
    finally:
        for engine in reversed(engines):
            engine.stop()
