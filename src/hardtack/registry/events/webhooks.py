"""Webhooks: who wants to be told of what, what waits to be told, and what could not be.

Events were written by the changes themselves, in their transactions; here each becomes one delivery per webhook that
wants it, in one transaction, so that none is lost and none is made twice. A delivery may be sent twice, under one id.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from hardtack.registry.access import Grant
from hardtack.registry.events.errors import WebhookInvalid, WebhookUnknown
from hardtack.registry.events.payload import KINDS, Event, body, is_secret, new_secret
from hardtack.registry.metadata.script import first, hits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hardtack.registry.metadata.database import Database
    from hardtack.registry.metadata.script import Script

_URL_LIMIT = 2000
_PER_REPOSITORY = 1000
_STATUS_LIMIT = 300
_EACH = 8  # deliveries to one receiver at a time


@dataclass(frozen=True, slots=True)
class Webhook:
    """Who wants to be told.

    Attributes:
        pattern: of repositories, as in grants.
        kinds: of events; empty for all.
        active: switched off by its owner, or because its receiver said 410, it is told nothing.
    """

    id: int
    pattern: str
    kinds: tuple[str, ...]
    url: str
    active: bool
    created: float
    created_by: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing to tell one receiver.

    Attributes:
        state: waiting, delivered or dead.
        due: when it is tried next, for those that wait.
        status: what came of the last attempt.
    """

    id: str
    webhook: int
    body: str
    state: str
    attempts: int
    due: float
    status: str
    created: float


class Due(NamedTuple):
    """A delivery to be tried now."""

    id: str
    webhook: int
    url: str
    secret: str
    body: str
    attempts: int


class Webhooks:
    """The webhooks of a registry. Who may change them was decided before."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def create(
        self, pattern: str, url: str, who: str, kinds: Sequence[str] = (), secret: str = ""
    ) -> tuple[Webhook, str]:
        """Tell somebody from now on. Returns the webhook and the secret, which is shown this once.

        Raises:
            WebhookInvalid: no http or https URL, an unknown kind, a secret outside the standard, or too many already.
        """
        secret = secret or new_secret()
        _check(url, kinds, secret)
        hook = await self._db.write(_create, pattern, ",".join(kinds), url, secret, who, self._db.now())
        return hook, secret

    async def every(self, pattern: str = "") -> list[Webhook]:
        """Webhooks, in the order they were made; those of one pattern when it is given."""
        return [hook for hook in await self._db.browse(_all) if pattern in ("", hook.pattern)]

    async def webhook(self, number: int) -> Webhook:
        """One of them. Raises WebhookUnknown."""
        return _present(await self._db.read(_one, number), number)

    async def remove(self, number: int) -> None:
        """Forget one, with what it was to be told. Raises WebhookUnknown."""
        if not await self._db.free(_remove, number):
            raise WebhookUnknown(number)

    async def switch(self, number: int, active: bool) -> None:
        """Switch one on or off. Raises WebhookUnknown."""
        if not await self._db.write(_switch, number, int(active)):
            raise WebhookUnknown(number)

    async def deliveries(self, number: int, state: str = "", limit: int = 100) -> list[Delivery]:
        """What one was or is to be told, latest first; `dead` are those that were given up."""
        return await self._db.browse(_deliveries, number, state, limit)

    async def again(self, number: int, delivery: str) -> None:
        """Try a delivery of a webhook once more, whatever became of it. Raises WebhookUnknown."""
        if not await self._db.write(_again, number, delivery, self._db.now()):
            raise WebhookUnknown(delivery)

    # What the dispatcher does

    async def spread(self, limit: int = 200) -> int:
        """Make deliveries of events. Returns how many events."""
        return await self._db.free(_spread, self._db.now(), limit)

    async def due(self, limit: int = 200) -> list[Due]:
        """Deliveries to try now, those that are under way included; a few of each receiver, the oldest."""
        return await self._db.browse(_due, self._db.now(), limit)

    async def tried(self, delivery: str, status: str, state: str, due: float) -> None:
        """Note what came of an attempt, and when the next one is."""
        await self._db.write(_tried, delivery, status[:_STATUS_LIMIT], state, due)

    async def forget(self, older: float, limit: int = 500) -> int:
        """Forget deliveries that ended longer ago than so many seconds. Returns how many."""
        return await self._db.free(_forget, self._db.now() - older, limit)


def _check(url: str, kinds: Sequence[str], secret: str) -> None:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and parts.hostname and not parts.username and len(url) <= _URL_LIMIT
    except ValueError:
        fine = False
    if not fine or not url.isascii() or not url.isprintable() or " " in url:
        raise WebhookInvalid("the address must be an http or https URL without a user name")
    for kind in kinds:
        if kind not in KINDS:
            raise WebhookInvalid(f'no event is called "{kind[:40]}"; there are {", ".join(KINDS)}')
    if not is_secret(secret):
        raise WebhookInvalid('the secret must be "whsec_" and 24 to 64 bytes in base64')


def _present(hook: Webhook | None, number: int) -> Webhook:
    if hook is None:
        raise WebhookUnknown(number)
    return hook


_COLUMNS = "id, pattern, kinds, url, active, created, created_by"


def _hook(row: tuple[int, str, str, str, int, float, str]) -> Webhook:
    return Webhook(row[0], row[1], tuple(filter(None, row[2].split(","))), row[3], bool(row[4]), row[5], row[6])


def _create(pattern: str, kinds: str, url: str, secret: str, who: str, now: float) -> Script[Webhook]:
    rows = yield "SELECT count(*) FROM webhook WHERE pattern = ?", (pattern,)
    if rows[0][0] >= _PER_REPOSITORY:
        raise WebhookInvalid(f"{pattern} has {_PER_REPOSITORY} webhooks already")
    rows = yield (
        "INSERT INTO webhook (pattern, kinds, url, secret, active, created, created_by) VALUES (?, ?, ?, ?, 1, ?, ?)"
        f" RETURNING {_COLUMNS}",
        (pattern, kinds, url, secret, now, who),
    )
    return _hook(rows[0])


def _all() -> Script[list[Webhook]]:
    rows = yield f"SELECT {_COLUMNS} FROM webhook ORDER BY id", ()
    return [_hook(row) for row in rows]


def _one(number: int) -> Script[Webhook | None]:
    row = yield from first(f"SELECT {_COLUMNS} FROM webhook WHERE id = ?", number)
    return None if row is None else _hook(row)


def _remove(number: int) -> Script[bool]:
    yield "DELETE FROM delivery WHERE webhook = ?", (number,)
    return (yield from hits("DELETE FROM webhook WHERE id = ? RETURNING id", number))


def _switch(number: int, active: int) -> Script[bool]:
    return (yield from hits("UPDATE webhook SET active = ? WHERE id = ? RETURNING id", active, number))


_DELIVERY = "SELECT id, webhook, body, state, attempts, due, status, created FROM delivery"


def _deliveries(number: int, state: str, limit: int) -> Script[list[Delivery]]:
    wanted = (" AND state = ?", (state,)) if state else ("", ())
    rows = yield (
        f"{_DELIVERY} WHERE webhook = ?{wanted[0]} ORDER BY created DESC, id LIMIT ?",
        (number, *wanted[1], limit),
    )
    return [Delivery(*row) for row in rows]


def _again(number: int, delivery: str, now: float) -> Script[bool]:
    return (
        yield from hits(
            "UPDATE delivery SET state = 'waiting', attempts = 0, due = ? WHERE id = ? AND webhook = ? RETURNING id",
            now,
            delivery,
            number,
        )
    )


def _spread(now: float, limit: int) -> Script[int]:
    rows = yield (
        "SELECT id, kind, repository, tag, digest, media_type, size, who, moment FROM event ORDER BY id LIMIT ?"
        " FOR UPDATE SKIP LOCKED",
        (limit,),
    )
    if not rows:
        return 0
    hooks = yield "SELECT id, pattern, kinds FROM webhook WHERE active = 1 ORDER BY id FOR UPDATE", ()
    wanted = [(hook, Grant(pattern, frozenset()), kinds.split(",")) for hook, pattern, kinds in hooks]
    for row in rows:
        event = Event._make(row)
        for hook, grant, kinds in wanted:
            if grant.covers(event.repository) and (kinds == [""] or event.kind in kinds):
                yield (
                    "INSERT INTO delivery (id, webhook, body, state, attempts, due, status, created)"
                    " VALUES (?, ?, ?, 'waiting', 0, ?, '', ?)",
                    (f"msg_{secrets.token_hex(16)}", hook, body(event), now, now),
                )
        yield "DELETE FROM event WHERE id = ?", (event.id,)
    return len(rows)


def drop_events(limit: int) -> Script[int]:
    """Forget what happened, where nobody is to be told of it. Returns how many events."""
    rows = yield (
        "DELETE FROM event WHERE id IN (SELECT e.id FROM event e ORDER BY e.id LIMIT ?) RETURNING id",
        (limit,),
    )
    return len(rows)


def _due(now: float, limit: int) -> Script[list[Due]]:
    rows = yield (
        "SELECT id, webhook, url, secret, body, attempts FROM"
        " (SELECT d.id, d.webhook, w.url, w.secret, d.body, d.attempts, d.due,"
        " row_number() OVER (PARTITION BY d.webhook ORDER BY d.due, d.id) AS place"
        " FROM delivery d JOIN webhook w ON w.id = d.webhook"
        " WHERE d.state = 'waiting' AND d.due <= ? AND w.active = 1) waiting WHERE place <= ? ORDER BY due LIMIT ?",
        (now, _EACH, limit),
    )
    return [Due._make(row) for row in rows]


def _tried(delivery: str, status: str, state: str, due: float) -> Script[None]:
    yield (
        "UPDATE delivery SET attempts = attempts + 1, status = ?, state = ?, due = ? WHERE id = ?",
        (status, state, due, delivery),
    )


def _forget(before: float, limit: int) -> Script[int]:
    rows = yield (
        "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE state <> 'waiting' AND created < ? LIMIT ?)"
        " RETURNING id",
        (before, limit),
    )
    return len(rows)
