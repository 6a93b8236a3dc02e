"""The dispatcher: one process of all replicas tells the receivers what happened, again and again until they hear it.

A receiver is asked with a time limit, without following redirects, and only at addresses that the filter of outgoing
requests allows. One that answers 2xx has heard; 410 switches its webhook off; anything else is tried again, ever less
often, for about a day, and then kept as dead until somebody asks for another try. Receivers do not wait for each other:
each is told a few things at a time, and a round goes on while slow ones take their time.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import aiohttp

from hardtack.registry.errors import RegistryError
from hardtack.registry.events.payload import headers, pause_after
from hardtack.registry.metrics import Count, Metrics

if TYPE_CHECKING:
    from hardtack.registry.events.webhooks import Due, Webhooks
    from hardtack.registry.metadata.database import Database

log = logging.getLogger("hardtack.registry")

_PAUSE = 1.0
_TURN = 10.0  # between two attempts to become the one who dispatches
_AT_ONCE = 64
_MOMENT = 0.5  # how long a round waits for what it began
_KEPT = 14 * 86_400.0
_TIDY_EVERY = 3600


class Dispatcher:
    """The dispatcher of one process.

    Args:
        session: for requests to strangers: filtered addresses, no credentials, a limit of time.
    """

    def __init__(
        self, database: Database, webhooks: Webhooks, session: aiohttp.ClientSession, metrics: Metrics | None = None
    ) -> None:
        self._db = database
        self._webhooks = webhooks
        self._session = session
        self._metrics = metrics or Metrics()
        self._flying: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Dispatch for ever, when no other process does."""
        while True:
            try:
                async with self._db.alone("events") as ours:
                    if ours:
                        await self._serve()
            except RegistryError as error:
                log.warning("telling webhooks stopped for now: %s", error)
            await asyncio.sleep(_TURN)

    async def _serve(self) -> None:
        rounds = 0
        try:
            while True:
                told = await self.round()
                if rounds % _TIDY_EVERY == 0:
                    await self._webhooks.forget(_KEPT)
                rounds += 1
                if not told:
                    await asyncio.sleep(_PAUSE)
        finally:
            for task in self._flying.values():
                task.cancel()

    async def round(self) -> int:
        """Make deliveries of what happened, and begin those that are due. Returns how many things that were."""
        made = await self._webhooks.spread()
        begun = 0
        for due in await self._webhooks.due():
            if due.id not in self._flying and len(self._flying) < _AT_ONCE:
                self._flying[due.id] = asyncio.create_task(self._fly(due))
                begun += 1
        if self._flying:
            await asyncio.wait(self._flying.values(), timeout=_MOMENT)
        return made + begun

    async def _fly(self, due: Due) -> None:
        try:
            await self._try(due)
        except RegistryError as error:
            log.warning("what came of a delivery could not be noted: %s", error)  # so it is tried again
        finally:
            del self._flying[due.id]

    async def _try(self, due: Due) -> None:
        status, text = await self._send(due)
        now = self._db.now()
        delivered = 200 <= status < 300
        self._metrics.add(Count.WEBHOOKS_DELIVERED if delivered else Count.WEBHOOKS_FAILED)
        if delivered:
            await self._webhooks.tried(due.id, text, "delivered", now)
            return
        if status == 410:
            await self._webhooks.switch(due.webhook, False)
            log.warning("webhook %d is switched off: its receiver says that it is gone", due.webhook)
        pause = pause_after(due.attempts + 1)
        state = "dead" if pause is None or status == 410 else "waiting"
        await self._webhooks.tried(due.id, text, state, now + (pause or 0.0))

    async def _send(self, due: Due) -> tuple[int, str]:
        """Make one attempt. Returns the status, 0 without an answer, and what to remember of it."""
        signed = headers(due.id, self._db.now(), due.body, due.secret)
        try:
            async with self._session.post(
                due.url, data=due.body.encode(), headers=signed, allow_redirects=False
            ) as response:
                return response.status, f"{response.status} {(response.reason or '')[:100]}".strip()
        except TimeoutError:
            return 0, "no answer in time"
        except (aiohttp.ClientError, RegistryError, OSError, ValueError) as error:
            return 0, f"{type(error).__name__}: {error}"
