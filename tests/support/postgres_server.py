"""Debian's PostgreSQL as processes of the test session, and a fresh database of the registry for each test.

fsync is off, since no test here cuts the power; synchronous_commit still orders what it orders.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import asyncpg
import pytest

_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "listen_addresses": "127.0.0.1",
    "log_min_messages": "error",
    "deadlock_timeout": "200ms",
    "max_wal_size": "2GB",
    "autovacuum": "off",
}
_CLUSTER = ("--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync")
_PLACES = ("/usr/local/bin", "/usr/bin", *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True))


def _program(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join((os.environ["PATH"], *_PLACES)))
    if found is None:
        pytest.skip(f"PostgreSQL's {name} is not installed")
    return found


class PostgresServer:
    """A server with its data in a folder; runs as `postgres` when the tests run as root. Costs 2 s to make.

    Attributes:
        port: on 127.0.0.1.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self._as = ["setpriv", "--pdeathsig", "SIGQUIT"]
        if os.geteuid() == 0:
            self._as += ["--reuid", "postgres", "--regid", "postgres", "--init-groups"]
            shutil.chown(folder, "postgres", "postgres")
        command = [*self._as, _program("initdb"), "-D", str(folder / "data"), "-U", "registry", *_CLUSTER]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)

    def url(self, database: str) -> str:
        return f"postgresql://registry@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start and wait until it answers. Costs 150 ms."""
        self.begin()
        self.wait()

    def begin(self) -> None:
        """Start, from the main thread: the kernel ends the server with the thread that started it."""
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        data = ["-D", str(self.folder / "data"), "-p", str(self.port), "-k", str(self.folder)]
        with open(self.folder / "log", "ab") as log:
            command = [*self._as, _program("postgres"), *data, *settings]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)

    def wait(self) -> None:
        """Wait until it answers."""
        assert self._process is not None
        end = time.monotonic() + 20
        while not (self.folder / "data" / "postmaster.pid").exists() or not self._ready():
            assert self._process.poll() is None and time.monotonic() < end, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.02)

    def _ready(self) -> bool:
        return "ready" in (self.folder / "data" / "postmaster.pid").read_text()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT tells the clients, SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def remove(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    async def execute(self, *statements: str) -> None:
        """Say something to the server itself."""
        connection = await asyncpg.connect(self.url("postgres"))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


@functools.cache
def postgres_server() -> PostgresServer:
    """The session's server; started by the first test that wants it, ended with the session. Costs 2.5 s once."""
    folder = Path(tempfile.mkdtemp(prefix="hardtack-postgres-"))
    folder.chmod(0o755)
    try:
        server = PostgresServer(folder)
        atexit.register(server.remove)
        server.start()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return server
