"""Several registries on one PostgreSQL and one S3 store, behind a proxy that sends every connection to the next one."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from support.our_registry import Client, OurRegistry, our_registry
from support.weed import weed


class RoundRobin:
    """A TCP proxy on loopback without any memory of who was where. One that does not answer is passed over.

    Attributes:
        host: its address.
        backends: addresses, taken in turn; may be changed.
    """

    def __init__(self, backends: list[str]) -> None:
        self.backends = backends
        self.host = ""
        self._turn = itertools.count()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.host = "127.0.0.1:{1}".format(*server.sockets[0].getsockname())
        self._task = asyncio.current_task()
        self._ready.set()
        await server.serve_forever()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            for _ in self.backends:
                host, port = self.backends[next(self._turn) % len(self.backends)].split(":")
                with contextlib.suppress(OSError):
                    behind_reader, behind_writer = await asyncio.open_connection(host, int(port))
                    await asyncio.gather(_pump(reader, behind_writer), _pump(behind_reader, writer))
                    return
        writer.close()

    def close(self) -> None:
        assert self._task is not None
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(10)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


class Replicas:
    """Running replicas behind one address.

    Attributes:
        running: by number; each has a folder of its own, with nothing in it that matters.
        client: of the proxy, with a new connection for every request.
    """

    def __init__(self, config: Path, folder: Path, count: int) -> None:
        self._config = config
        self._folder = folder
        self._stack = ExitStack()
        self.running: list[OurRegistry] = [self._start(number) for number in range(count)]
        self.proxy = RoundRobin([registry.host for registry in self.running])
        self._stack.callback(self.proxy.close)
        self.client = Client(self.proxy.host)

    def _start(self, number: int) -> OurRegistry:
        root = self._folder / f"replica{number}"
        return self._stack.enter_context(our_registry(root, "--config", str(self._config), workers=1))

    def kill(self, number: int) -> None:
        """End every process of a replica, at the instruction that it is at."""
        dying = self.running[number]
        pids = [*dying.workers(), dying.process.pid]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        dying.process.wait(10)

    def replace(self, number: int) -> None:
        """Start a replica in the place of one that was killed. Costs 1 s."""
        self.running[number] = self._start(number)
        self.proxy.backends[number] = self.running[number].host

    def close(self) -> None:
        self._stack.close()


@contextmanager
def replicas(url: str, folder: Path, count: int = 3, limits: str = "") -> Iterator[Replicas]:
    """Costs 2 s, and once what PostgreSQL and the store cost.

    Args:
        url: of the database.
        limits: lines of the section [limits].
    """
    place = weed().settings()
    config = folder / "registry.toml"
    config.write_text(
        f'[server]\nlog_level = "info"\n[metadata]\nurl = "{url}"\n'
        f'[blobs]\ns3 = "s3://{place.bucket}/{place.prefix}"\nendpoint = "{place.endpoint}"\n'
        f'access_key = "{place.access_key}"\nsecret_key = "{place.secret_key}"\n'
        f'[access]\nmode = "open"\n[limits]\n{limits}\n'
    )
    config.chmod(0o600)
    running = Replicas(config, folder, count)
    try:
        yield running
    finally:
        running.close()
