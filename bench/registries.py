"""The registries that are compared: ours, the newest distribution that can be built here, Debian's docker-registry.

Each runs with its files in a folder of its own and, where it has settings for speed that its manual recommends, with
those. zot is not here: its module (zotregistry.dev/zot) is not to be had from the Go module proxy.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench import peers
from bench.wire import Place, Wire

TACK = str(Path(sys.executable).parent / "tack")


class Registry:
    """A registry as a process."""

    name = ""

    def __init__(self, folder: Path, tls: Path | None) -> None:
        self.folder = folder / (self.name.replace(" ", "-") + ("-tls" if tls else ""))
        self.folder.mkdir()
        self.tls = tls

    @classmethod
    def problem(cls) -> str:
        """Why it cannot be had here, or ""."""
        return ""

    @classmethod
    def version(cls) -> str:
        raise NotImplementedError

    def words(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        self.log = (self.folder / "log").open("wb")
        self.process = subprocess.Popen(self.words(), stdout=self.log, stderr=self.log, cwd=self.folder)
        self.place = self._found()

    def _found(self) -> Place:
        """The place, once it answers there; the port is in what the server says."""
        end = time.monotonic() + 30
        while time.monotonic() < end and self.process.poll() is None:
            ports = re.findall(r"127\.0\.0\.1:(\d+)", (self.folder / "log").read_text(errors="replace"))
            if ports:
                place = Place("127.0.0.1", int(ports[-1]), self.tls is not None)
                with contextlib.suppress(OSError):
                    Wire(place)("GET", "/v2/")
                    return place
            time.sleep(0.05)
        raise RuntimeError(f"{self.name} did not start: {(self.folder / 'log').read_text()[-400:]}")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def processes(self) -> list[int]:
        """Its process ids, the parent first."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [self.process.pid, *map(int, children.split())]


class Hardtack(Registry):
    name = "hardtack"

    @classmethod
    def version(cls) -> str:
        words = [TACK, "version", "--format", "{{.Client.Version}}"]
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()

    def words(self) -> list[str]:
        flags = ["--tls-cert", f"{self.tls}/cert.pem", "--tls-key", f"{self.tls}/key.pem"] if self.tls else []
        return [TACK, "registry", "serve", "--root", str(self.folder / "root"), "--listen", "127.0.0.1:0", *flags]


class Distribution(Registry):
    name = "distribution"

    @classmethod
    def program(cls) -> str | None:
        newest = peers.folder("registry")
        return str(newest / "registry") if newest else None

    @classmethod
    def problem(cls) -> str:
        return "" if cls.program() else "it is not built, and there is no Go to build it with"

    @classmethod
    def version(cls) -> str:
        done = subprocess.run([str(cls.program()), "--version"], capture_output=True, text=True, check=False)
        return done.stdout.split()[-1]

    def words(self) -> list[str]:
        http: dict[str, object] = {"addr": "127.0.0.1:0", "secret": "bench"}
        if self.tls:
            http["tls"] = {"certificate": f"{self.tls}/cert.pem", "key": f"{self.tls}/key.pem"}
        config = {
            "version": 0.1,
            "log": {"level": "info", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.folder / "root"), "maxthreads": 100},
                "cache": {"blobdescriptor": "inmemory"},
                "delete": {"enabled": True},
            },
            "http": http,
        }
        (self.folder / "config.yml").write_text(json.dumps(config))  # JSON is YAML
        return [str(self.program()), "serve", str(self.folder / "config.yml")]


class Debian(Distribution):
    name = "docker-registry"

    @classmethod
    def program(cls) -> str | None:
        return shutil.which("docker-registry")

    @classmethod
    def problem(cls) -> str:
        return "" if cls.program() else "Debian's docker-registry is not installed"


KINDS: tuple[type[Registry], ...] = (Hardtack, Distribution, Debian)


def certificate(folder: Path) -> Path:
    """A folder with a certificate for 127.0.0.1 and its key."""
    import trustme

    made = folder / "tls"
    made.mkdir()
    issued = trustme.CA().issue_cert("127.0.0.1", "localhost")
    issued.private_key_pem.write_to_path(made / "key.pem")
    (made / "cert.pem").write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    return made


@contextlib.contextmanager
def running(folder: Path, tls: Path | None) -> Iterator[list[Registry]]:
    """All that run here, stopped in the end; those that do not are named."""
    with contextlib.ExitStack() as stack:
        started = []
        for kind in KINDS:
            if problem := kind.problem():
                print(f"- {kind.name}: left out: {problem}")
                continue
            registry = kind(folder, tls)
            registry.start()
            stack.callback(registry.stop)
            started.append(registry)
        yield started
