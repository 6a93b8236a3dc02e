"""A world in which containers run: a root with a busybox image, and `tack` as people call it."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hardtack.container.row import Container, find
from hardtack.image.load import load
from hardtack.linux import cgroup
from hardtack.store.root import Root
from support.layouts import busybox_layout
from support.remains import remains
from support.world import take_down

TACK = str(Path(sys.executable).parent / "tack")
PATIENCE = 20.0


class World:
    """One root with the image `busybox`. `take_down` leaves nothing of it."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "HARDTACK_ROOT": str(folder / "root"),
            "HARDTACK_RUN": str(folder / "run"),
            **environment,
        }
        self.before = {name: os.environ.get(name) for name in ("HARDTACK_ROOT", "HARDTACK_RUN", *environment)}
        os.environ.update({name: self.environment[name] for name in self.before})
        self.root = Root.open()
        busybox_layout(folder / "layout")
        load(self.root, str(folder / "layout"))
        self.root.close()

    def run(
        self, *words: str, check: bool = True, data: str | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Call tack and wait; without `data` its input is empty."""
        done = subprocess.run(
            [TACK, *words],
            input=data if data is not None else "",
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
            timeout=PATIENCE * 2,
            env=self.environment,
            **options,
        )
        if check:
            assert done.returncode == 0, f"tack {' '.join(words)} -> {done.returncode}: {done.stderr}"
        return done

    def output(self, *words: str) -> str:
        """What a call prints, which has to succeed."""
        return self.run(*words).stdout.strip()

    def popen(self, *words: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start tack and go on."""
        return subprocess.Popen([TACK, *words], env=self.environment, **options)

    def container(self, name: str) -> Container:
        """The row as it is now."""
        try:
            return find(self.root, name)
        finally:
            self.root.close()

    def wait_for(self, condition: Callable[[], object], what: str = "the condition") -> None:
        """Wait until something is true."""
        until = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < until, f"{what} did not come"
            time.sleep(0.01)

    def logs(self, name: str) -> str:
        """The log of a container, the texts alone."""
        import json

        path = Path(self.root.path) / "containers" / self.container(name).id
        lines = (path / f"{path.name}-json.log").read_text().splitlines()
        return "".join(json.loads(line)["log"] for line in lines)

    def clear(self) -> None:
        """Remove every container, even after a test has killed what watched over them."""
        names = self.run("ps", "-aq").stdout.split()
        if names:
            self.run("rm", "-f", "-v", *names)

    def left(self) -> list[str]:
        """What of this world is still in the kernel or in the rows, once what cleans up has had time to."""
        found = remains(self.root)
        until = time.monotonic() + PATIENCE
        while found and time.monotonic() < until:
            time.sleep(0.02)
            found = remains(self.root)
        return found

    def take_down(self) -> None:
        """Take everything away, also after a failure."""
        try:
            from hardtack.container.reconcile import end_processes
            from hardtack.network.world import destroy_world

            for ident in cgroup.children(f"/hardtack-{self.root.id}"):
                end_processes(self.root, ident)
            destroy_world(self.root, force=True)
            cgroup.remove(f"/hardtack-{self.root.id}")
        finally:
            self.root.close()
            take_down(self.folder)
            for name, value in self.before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


class Terminal:
    """A person at a terminal: a command on a pseudoterminal, keys to type, a screen to read."""

    def __init__(self, world: World, *words: str, rows: int = 24, columns: int = 80) -> None:
        self.screen = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execve(TACK, [TACK, *words], world.environment)
        self.resize(rows, columns)

    def resize(self, rows: int, columns: int) -> None:
        """Change the size of the window."""
        import fcntl
        import struct
        import termios

        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.master, text.encode())

    def read_until(self, text: str) -> str:
        """Read the screen until a text has come."""
        until = time.monotonic() + PATIENCE
        while text.encode() not in self.screen:
            left = until - time.monotonic()
            ready = select.select([self.master], [], [], max(0.0, left))[0]
            assert ready, f"{text!r} did not come, but {self.screen!r}"
            try:
                data = os.read(self.master, 65_536)
            except OSError:
                data = b""
            assert data, f"it ended before {text!r} came, after {self.screen!r}"
            self.screen += data
        shown, _, self.screen = self.screen.partition(text.encode())
        return (shown + text.encode()).decode(errors="replace")

    def wait(self) -> int:
        """Read to the end. Returns the exit code."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                data = os.read(self.master, 65_536) if select.select([self.master], [], [], 0.05)[0] else b"?"
            except OSError:
                data = b""
            if data not in (b"", b"?"):
                self.screen += data
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.master)
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < until, f"it did not end, after {self.screen!r}"

    def kill(self) -> None:
        """For when a test failed."""
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
