"""What one worker process runs: its event loop, its stores, its connections, and its part of the collection.

It ends by draining: no new connections, requests in progress finish, then the stores are closed. It ends as well when
the parent dies, which it learns from a pipe.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from hardtack.registry.access import OpenGate
from hardtack.registry.blobs.files import FileBlobs
from hardtack.registry.collector import Collector
from hardtack.registry.metadata.sqlite import SqliteDatabase
from hardtack.registry.metadata.store import Metadata
from hardtack.registry.server.app import App
from hardtack.registry.server.connection import Server
from hardtack.registry.server.quick import QuickLane
from hardtack.registry.service import Service
from hardtack.registry.web.pages import Pages

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Sequence

    from hardtack.registry.access import Gate
    from hardtack.registry.server.settings import Settings

_BACKLOG = 1024


def database_path(root: str) -> str:
    """Where the metadata are."""
    return f"{root}/registry.db"


async def work(settings: Settings, sockets: Sequence[socket.socket], parent: int | None) -> None:
    """Serve until told to stop.

    Args:
        sockets: bound and listening.
        parent: a descriptor that reads as ended when the parent does.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if parent is not None:
        loop.add_reader(parent, stop.set)
    async with serving(settings, sockets, OpenGate()):
        await stop.wait()


@asynccontextmanager
async def serving(settings: Settings, sockets: Sequence[socket.socket], gate: Gate) -> AsyncIterator[Service]:
    """A registry that serves as long as the block lasts, and drains at its end."""
    async with contextlib.AsyncExitStack() as stack:
        database = SqliteDatabase(database_path(settings.root))
        stack.push_async_callback(database.close)
        blobs = FileBlobs(settings.root)
        stack.push_async_callback(blobs.close)
        service = Service(database, Metadata(database), blobs, gate, settings.limits)
        local_only = not settings.open_to_all
        app = App(service, Pages(service), local_only, settings.debug)
        server = Server(app.handle, QuickLane(service, local_only), settings.limits)
        stack.push_async_callback(server.end)
        collector = asyncio.create_task(Collector(service).run(), name="collector")
        stack.push_async_callback(_ended, collector)
        loop = asyncio.get_running_loop()
        for sock in sockets:
            listener = await loop.create_server(server, sock=sock, backlog=_BACKLOG)
            stack.callback(listener.close)
        yield service


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
