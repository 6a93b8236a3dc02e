"""Failed logins slow down the next one: by name and by address, twice as long each time, in all replicas together.

An attempt is counted before the password is looked at, so that many at once are no way around. A success takes its own
count back. Somebody else's guesses do not keep a user out: who has logged in from an address before is counted apart
there from the rest of the world. Tokens and sessions cannot be guessed and are never slowed down.

Source: OWASP, "Blocking Brute Force Attacks", device cookies.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, NamedTuple

from hardtack.registry.accounts.errors import TooManyFailures
from hardtack.registry.metadata.script import first, hits

if TYPE_CHECKING:
    from hardtack.registry.metadata.database import Database
    from hardtack.registry.metadata.script import Script

FORGET = 3600.0
_KNOWN = 30 * 86_400.0


class Rule(NamedTuple):
    """How much is free, and how long one waits at most, in seconds."""

    free: int
    most: float


NAME = Rule(5, 30.0)  # short, since the address is slowed down as well and the world must not lock a user out
ADDRESS = Rule(20, 900.0)  # an office has one address


def delay(count: int, rule: Rule) -> float:
    """How long to wait after so many failures."""
    return min(rule.most, 2.0 ** min(count - rule.free, 30)) if count >= rule.free else 0.0


def wait(count: int, latest: float, now: float, rule: Rule) -> float:
    """How long from now; 0 for not at all."""
    if now - latest > FORGET:
        return 0.0
    return max(0.0, min(latest, now) + delay(count, rule) - now)


def place(address: str) -> str:
    """Whom an address stands for: itself, or the network of 64 bits that every IPv6 user has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False).network_address)
    return str(parsed)


class Throttle:
    """The failures of one registry."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def enter(self, name: str, address: str) -> None:
        """Count an attempt that is about to be made. Raises TooManyFailures: it must not be yet."""
        seconds = await self._db.note(_enter, name, place(address), self._db.now())
        if seconds > 0:
            raise TooManyFailures(seconds)

    async def succeeded(self, name: str, address: str) -> None:
        """Take the attempt back, and remember that the user comes from there."""
        await self._db.note(_succeeded, name, place(address), self._db.now())


def _keys(name: str, place: str) -> Script[tuple[tuple[str, Rule], tuple[str, Rule]]]:
    # The address comes first: one that has to wait leaves nothing behind under the names that it goes on trying.
    known = yield from hits("SELECT 1 FROM failure WHERE who = ?", f"known {name} {place}")
    return (f"address {place}", ADDRESS), (f"pair {name} {place}" if known else f"name {name}", NAME)


def _enter(name: str, place: str, now: float) -> Script[float]:
    keys = yield from _keys(name, place)
    counts = []
    for who, rule in keys:
        yield "INSERT INTO failure (who, count, latest) VALUES (?, 0, ?) ON CONFLICT (who) DO NOTHING", (who, now)
        row = yield from first("SELECT count, latest FROM failure WHERE who = ? FOR UPDATE", who)
        count, latest = row or (0, now)
        seconds = wait(count, latest, now, rule)
        if seconds > 0:
            return seconds
        counts.append(1 if now - latest > FORGET else count + 1)
    for (who, _), count in zip(keys, counts, strict=True):
        yield "UPDATE failure SET count = ?, latest = ? WHERE who = ?", (count, now, who)
    return 0.0


def _succeeded(name: str, place: str, now: float) -> Script[None]:
    (there, _), (who, _) = yield from _keys(name, place)
    # Not all of them: else whoever has an account of their own could guess at others between two logins.
    yield "UPDATE failure SET count = count - 1 WHERE who = ? AND count > 0", (there,)
    yield "DELETE FROM failure WHERE who = ?", (who,)
    yield (
        "INSERT INTO failure (who, count, latest) VALUES (?, 0, ?)"
        " ON CONFLICT (who) DO UPDATE SET latest = excluded.latest",
        (f"known {name} {place}", now),
    )


def drop_old(now: float) -> Script[None]:
    """Forget failures, and where users come from, when they are old."""
    yield "DELETE FROM failure WHERE latest < ? AND who NOT LIKE 'known %'", (now - FORGET,)
    yield "DELETE FROM failure WHERE latest < ?", (now - _KNOWN,)
