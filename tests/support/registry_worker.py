"""One worker of our registry in a thread of the test process, with limits and rights of the test's choosing."""

from __future__ import annotations

import asyncio
import base64
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from hardtack.registry.access import Action, Caller, Gate, Grant, OpenGate
from hardtack.registry.accounts.changes import By
from hardtack.registry.accounts.users import store_password
from hardtack.registry.config.document import Config
from hardtack.registry.config.limits import Limits
from hardtack.registry.config.server import DataSection
from hardtack.registry.config.topics import RetentionSection
from hardtack.registry.errors import Unauthorized
from hardtack.registry.server.settings import Address, Settings
from hardtack.registry.server.worker import serving
from hardtack.registry.service import Service
from support.our_registry import Client

T = TypeVar("T")


class Worker:
    """A running worker.

    Attributes:
        service: what it serves with; use `run` to ask it.
    """

    def __init__(self, host: str, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        self.host = host
        self.service = service
        self.client = Client(host)
        self._loop = loop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the worker's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


class GrantingGate:
    """Callers by the text of their Authorization header; "" is somebody without credentials."""

    def __init__(self, grants: dict[str, list[tuple[str, set[Action]]]]) -> None:
        self._callers = {
            name: Caller(name, tuple(Grant(pattern, frozenset(actions)) for pattern, actions in granted))
            for name, granted in grants.items()
        }

    async def identify(self, authorization: str, address: str = "") -> Caller:
        if authorization not in self._callers:
            raise Unauthorized
        return self._callers[authorization]

    def at_once(self, authorization: str) -> Caller | None:
        return self._callers.get(authorization)

    def anonymous(self) -> Caller:
        return self._callers.get("", Caller())

    def challenge(self, origin: str, scope: str, problem: str) -> str:
        return f'Basic realm="{origin} {scope} {problem}"'


def account(worker: Worker, name: str, admin: bool = False) -> str:
    """Make a user of a worker with accounts. Returns the Authorization header that they log in with."""
    accounts, password = worker.service.accounts, f"the password of {name}"
    assert accounts is not None

    async def make() -> None:
        by = By.shell("test")
        await accounts.users.create(by, name, admin=admin)
        hashed = await accounts.passwords.hash(password)
        database = worker.service.database
        await database.write(store_password, by, name, hashed, False, "", database.now())

    worker.run(make())
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@contextmanager
def registry_worker(
    root: Path,
    gate: Gate | None = None,
    open_to_all: bool = False,
    undelete: float = 86_400.0,
    base: Config | None = None,
    accounts: bool = False,
    **limits: Any,
) -> Iterator[Worker]:
    """Serve from a folder until the block ends. Costs 20 ms.

    Args:
        base: what is configured besides.
        accounts: serve with accounts; `account` makes them.
    """
    root.mkdir(parents=True, exist_ok=True)
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    config = replace(
        base or Config(),
        data=DataSection(str(root)),
        limits=Limits(**limits),
        retention=RetentionSection(undelete),
    )
    settings = Settings(config, (Address(socket.AF_INET, "127.0.0.1", port),), open_to_all, debug=True)
    if accounts:
        settings = replace(settings, mode="accounts")
    started: list[tuple[Service, asyncio.AbstractEventLoop, Callable[[], None]]] = []
    ready = threading.Event()

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with serving(settings, [sock], None if accounts else gate or OpenGate()) as running:
            service = running.service
            started.append((service, loop, lambda: loop.call_soon_threadsafe(stop.set)))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),), daemon=True)
    thread.start()
    assert ready.wait(20)
    service, loop, stop = started[0]
    try:
        yield Worker(f"127.0.0.1:{port}", service, loop)
    finally:
        stop()
        thread.join(30)
        assert not thread.is_alive()
