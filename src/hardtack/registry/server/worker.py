"""What one worker process runs: its event loop, its stores, its connections, and its part of the collection.

It ends by draining: no new connections, requests in progress finish, then the stores are closed. It ends as well when
the parent dies, which it learns from a pipe.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import aiohttp

from hardtack.registry.access import OpenGate
from hardtack.registry.collector import Collector
from hardtack.registry.events.dispatch import Dispatcher
from hardtack.registry.events.webhooks import Webhooks
from hardtack.registry.maintenance.importing import expect_whole
from hardtack.registry.maintenance.presence import say_that_we_serve
from hardtack.registry.maintenance.scrub import Scrubber
from hardtack.registry.metadata.store import Metadata
from hardtack.registry.metrics import Metrics
from hardtack.registry.net.client import session
from hardtack.registry.net.filter import AddressFilter
from hardtack.registry.promises import promise
from hardtack.registry.repositories.pulls import Pulls
from hardtack.registry.retention.keeper import Retention
from hardtack.registry.sender import Forwarding
from hardtack.registry.server.access_log import AccessLog
from hardtack.registry.server.admission import EXTERNAL, OPEN
from hardtack.registry.server.app import App
from hardtack.registry.server.connection import Server
from hardtack.registry.server.journal import Journal
from hardtack.registry.server.probes import Probes
from hardtack.registry.server.quick import QuickLane
from hardtack.registry.server.stores import open_stores
from hardtack.registry.service import Service
from hardtack.registry.web.pages import Pages

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
    from contextlib import AsyncExitStack

    from hardtack.registry.access import Gate
    from hardtack.registry.accounts.accounts import Accounts
    from hardtack.registry.config.document import Config
    from hardtack.registry.metadata.database import Database
    from hardtack.registry.server.settings import Settings
    from hardtack.registry.upstream.cache import Upstreams

RETIRE = signal.SIGUSR2
"""Tells a worker that others have taken its place: it lets nobody else in, and finishes what it has begun."""

log = logging.getLogger("hardtack.registry")

_RETIREMENT = 3600.0
_AGAIN = 5.0
_BACKLOG = 1024


async def work(
    settings: Settings, sockets: Sequence[socket.socket], parent: int, metrics: Metrics, ready: Callable[[], None]
) -> None:
    """Serve until told to stop.

    Args:
        sockets: bound and listening.
        parent: a descriptor that reads as ended when the parent does.
        ready: called once everything is open.
    """
    stop, retire = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(RETIRE, retire.set)
    loop.add_reader(parent, _orphaned, loop, parent, stop)
    async with serving(settings, sockets, None, metrics) as running:
        ready()
        await _either(stop, retire)
        if stop.is_set():
            running.probes.draining = True
            await asyncio.sleep(settings.config.server.drain)
        else:
            running.retire(stop)


def _orphaned(loop: asyncio.AbstractEventLoop, parent: int, stop: asyncio.Event) -> None:
    loop.remove_reader(parent)
    stop.set()


async def _either(*events: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


class Running:
    """A worker that serves."""

    def __init__(self, service: Service, probes: Probes, server: Server) -> None:
        self.service = service
        self.probes = probes
        self._server = server
        self._hurried: asyncio.Task[None] | None = None

    def retire(self, stop: asyncio.Event) -> None:
        """Give what is in progress much more time to finish, until the whole server is told to stop."""
        self._server.patience = _RETIREMENT
        self._hurried = asyncio.create_task(self._hurry(stop))

    async def _hurry(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._server.hurry()


@asynccontextmanager
async def serving(
    settings: Settings, sockets: Sequence[socket.socket], gate: Gate | None = None, metrics: Metrics | None = None
) -> AsyncIterator[Running]:
    """A registry that serves as long as the block lasts, and drains at its end.

    Args:
        gate: who identifies callers; None for the one that the settings mean.
    """
    config = settings.config
    async with contextlib.AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_stores(config))
        await expect_whole(stores.database)
        accounts = _accounts(settings, stores.database, stack) if gate is None else None
        service = Service(
            stores.database,
            Metadata(stores.database, config.access.default_visibility),
            stores.blobs,
            gate or (OpenGate() if accounts is None else _gate(settings, accounts, stores.database)),
            config.limits,
            config,
            metrics or Metrics(),
            Pulls(None if config.server.read_only else stores.database),
        )
        service = replace(service, accounts=accounts)
        if config.upstream:
            service = replace(service, upstreams=_upstreams(service, stack))
        journal = Journal(service.metrics, _forwarding(config), _access_log(service, stack))
        local_only, probes = not settings.open_to_all and accounts is None, Probes(service)
        app = App(service, Pages(service), probes, local_only, settings.debug)
        server = Server(app.handle, QuickLane(service, local_only), config.limits, journal)
        stack.push_async_callback(service.pulls.flush)
        stack.push_async_callback(server.end)
        beside(stack, service.pulls.run)
        if not service.read_only:
            beside(stack, partial(stores.database.note, promise, config))
            beside(stack, Collector(service).run)
            beside(stack, Retention(stores.database, config).run)
            beside(stack, Scrubber(service).run)
            beside(stack, partial(say_that_we_serve, stores.database))
            if config.webhooks.enabled:
                beside(stack, partial(_told, service))
        await _listen(stack, sockets, server, service)
        yield Running(service, probes, server)


def _upstreams(service: Service, stack: AsyncExitStack) -> Upstreams:
    from hardtack.registry.upstream.cache import Upstreams

    upstreams = Upstreams(service.config, service.database, service.metadata, service.blobs, service.metrics)
    stack.push_async_callback(upstreams.close)
    return upstreams


async def _told(service: Service) -> None:
    """Tell webhooks what happens, as long as the worker lives."""
    timeout = aiohttp.ClientTimeout(total=service.config.webhooks.timeout)
    async with session(AddressFilter(service.config.network.allow), timeout) as to_strangers:
        await Dispatcher(service.database, Webhooks(service.database), to_strangers, service.metrics).run()


def _accounts(settings: Settings, database: Database, stack: AsyncExitStack) -> Accounts | None:
    if settings.mode in ("", OPEN):
        return None
    from hardtack.registry.accounts.accounts import Accounts

    accounts = Accounts(database, settings.config)
    stack.push_async_callback(accounts.close)
    beside(stack, accounts.run)
    return accounts


def _gate(settings: Settings, accounts: Accounts, database: Database) -> Gate:
    if settings.mode != EXTERNAL:
        return accounts.gate
    from hardtack.registry.accounts.external import ExternalGate

    return ExternalGate(database, settings.config.access, accounts.issuer.service, accounts.gate)


def _forwarding(config: Config) -> Forwarding:
    return Forwarding(config.server.trusted_proxies, config.server.url)


def _access_log(service: Service, stack: AsyncExitStack) -> AccessLog | None:
    if not service.config.server.access_log:
        return None
    log = AccessLog(service.config.server.access_log, service.metrics)
    stack.push_async_callback(log.close)
    return log


def beside(stack: AsyncExitStack, work: Callable[[], Coroutine[None, None, None]]) -> None:
    """Have something done in the background until the stack is left."""
    stack.push_async_callback(_ended, asyncio.create_task(_kept_up(work)))


async def _kept_up(work: Callable[[], Coroutine[None, None, None]]) -> None:
    """Do something that has no end; when it breaks off, as a disk that fails for once may have it, begin again."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("something in the background broke off, and is begun again in %.0f seconds", _AGAIN)
            await asyncio.sleep(_AGAIN)
        else:
            return


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _listen(stack: AsyncExitStack, sockets: Sequence[socket.socket], server: Server, service: Service) -> None:
    loop, tls, limits = asyncio.get_running_loop(), service.config.tls, service.config.limits
    if not tls.certificate:
        for sock in sockets:
            listener = await loop.create_server(server, sock=sock, backlog=_BACKLOG)
            stack.callback(listener.close)
        return
    from hardtack.registry.server.tls import Certificates, TlsDoor

    certificates = Certificates(tls.certificate, tls.key)
    beside(stack, certificates.watch)
    for sock in sockets:
        door = TlsDoor(sock, server, certificates, service.metrics, limits.header_time, limits.connections)
        stack.callback(door.close)
