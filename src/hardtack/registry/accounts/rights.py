"""The number that grows with every change of accounts and rights, and what was found out under it.

An embedded database is asked at every request, which costs microseconds. One that is elsewhere is asked at most every
half a second. So what is remembered here is never older than that, in any worker of any replica.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

from hardtack.registry.accounts import standing
from hardtack.registry.accounts.changes import number
from hardtack.registry.accounts.tokens import REFRESH

if TYPE_CHECKING:
    from collections.abc import Callable

    from hardtack.registry.accounts.standing import Standing, TokenRow
    from hardtack.registry.metadata.database import Database

T = TypeVar("T")

_FRESH = 0.5
_REMEMBERED = 4096


class Rights:
    """What accounts and tokens are at the moment.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = database
        self._clock = clock
        self._number = ""
        self._asked = float("-inf")
        self._asking = asyncio.Lock()
        self._of = ""  # the number under which the following was found
        self._standings: dict[str, Standing | None] = {}
        self._tokens: dict[str, TokenRow | None] = {}

    def number_at_once(self) -> str | None:
        """The number, where it needs no waiting."""
        found = self._db.at_once(number)
        if found is not None:
            return found
        return self._number if self._clock() - self._asked < _FRESH else None

    async def number(self) -> str:
        """The number."""
        found = self.number_at_once()
        if found is not None:
            return found
        async with self._asking:
            if self._clock() - self._asked >= _FRESH:
                began = self._clock()
                self._number = await self._db.read(number)
                self._asked = began
            return self._number

    def ask_again(self) -> None:
        """Let the next question for the number go to the database: this process has changed it."""
        self._asked = float("-inf")

    async def standing(self, name: str, now: str) -> Standing | None:
        """What an account may.

        Args:
            now: the number, read before.
        """
        if self._turned(now) and name in self._standings:
            return self._standings[name]
        found = await self._db.read(standing.standing, name)
        if self._turned(now):
            _keep(self._standings, name, found)
        return found

    async def token(self, identity: str, now: str) -> TokenRow | None:
        """A token's row."""
        if self._turned(now) and identity in self._tokens:
            return self._tokens[identity]
        found = await self._db.read(standing.token, identity)
        # A new one does not change the number, and neither does the end of one that docker keeps.
        if found is not None and found.kind != REFRESH and self._turned(now):
            _keep(self._tokens, identity, found)
        return found

    def _turned(self, now: str) -> bool:
        """Forget what was found under another number. Returns whether the given one is the present one."""
        if now == self._of:
            return True
        if self._of and int(now or 0) < int(self._of):
            return False  # somebody who asked before the others
        self._of = now
        self._standings.clear()
        self._tokens.clear()
        return True


def _keep(kept: dict[str, T], key: str, value: T) -> None:
    if len(kept) >= _REMEMBERED:
        kept.clear()
    kept[key] = value
