"""Work in threads that is always waited for, since it uses descriptors that somebody is about to close."""

from __future__ import annotations

import asyncio
from typing import TypeVar

T = TypeVar("T")


async def settled(future: asyncio.Future[T]) -> T:
    """Wait for the end of some work even when cancelled meanwhile; the cancellation follows then.

    Raises:
        what the work raises.
    """
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError as error:
            cancelled = error
        except Exception:  # noqa: BLE001, S112 - raised by result() below
            continue
    if cancelled is not None:
        if not future.cancelled():
            future.exception()  # looked at, so that nobody complains that nobody did
        raise cancelled
    return future.result()
