"""The sign of life of an upload whose request takes long, be it for the client's line or for the storage.

Without it a repository to which a large blob is on its way would not count as pushed to, and lose the smaller ones that
came before.
"""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from hardtack.registry.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from hardtack.registry.config.limits import Limits

_LONGEST, _SHORTEST = 60.0, 0.05


@asynccontextmanager
async def beating(sign: Callable[[], Awaitable[None]], limits: Limits) -> AsyncIterator[None]:
    """Give a sign of life from time to time as long as the block lasts.

    Args:
        sign: gives it; no harm is done when it fails once.
        limits: how long a push, and an upload, is believed in without one.
    """
    pause = min(_LONGEST, max(_SHORTEST, min(limits.grace, limits.upload_life) / 4))
    loop = asyncio.get_running_loop()
    task: asyncio.Task[None] | None = None

    def begin() -> None:
        nonlocal task
        task = loop.create_task(_beat(sign, pause, over))

    # Most uploads are over before the first sign, so nothing is started for them.
    over = asyncio.Event()
    timer = loop.call_later(pause, begin)
    try:
        yield
    finally:
        timer.cancel()
        if task is not None:
            over.set()
            await asyncio.wait([task])  # none is to come after what the block did last


async def _beat(sign: Callable[[], Awaitable[None]], pause: float, over: asyncio.Event) -> None:
    while not over.is_set():
        with contextlib.suppress(RegistryError):
            await sign()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await over.wait()
