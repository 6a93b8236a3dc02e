"""Webhooks by the JSON API. Who administers every repository that a pattern covers may have one for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hardtack.registry.access import Action, allowed
from hardtack.registry.admin.ask import covered
from hardtack.registry.admin.table import Endpoint, N
from hardtack.registry.errors import BadRequest
from hardtack.registry.events.errors import WebhookUnknown
from hardtack.registry.events.webhooks import Delivery, Webhook, Webhooks

if TYPE_CHECKING:
    from hardtack.registry.admin.ask import Ask

_STATES = ("", "waiting", "delivered", "dead")


class NewWebhook(msgspec.Struct, forbid_unknown_fields=True):
    """Whom to tell of what. Without kinds: of everything; without a secret one is made."""

    pattern: str
    url: str
    kinds: list[str] = []
    secret: str = ""


class Switch(msgspec.Struct, forbid_unknown_fields=True):
    """Whether it is told anything."""

    active: bool


class Made(msgspec.Struct):
    """A new webhook, with the secret, which is shown this once."""

    webhook: Webhook
    secret: str


async def create(ask: Ask) -> Made:
    """Make one."""
    ask.expect_all(ask.body.pattern)
    webhooks = Webhooks(ask.service.database)
    hook, secret = await webhooks.create(
        ask.body.pattern, ask.body.url, ask.caller.name, ask.body.kinds, ask.body.secret
    )
    await ask.note("webhook.create", hook.pattern, str(hook.id))
    return Made(hook, secret)


async def _own(ask: Ask) -> Webhook:
    """The webhook that the path names, when it is the caller's to administer; else it is unknown to them."""
    number = ask.number("webhook")
    hook = await Webhooks(ask.service.database).webhook(number)
    if not _administers(ask, hook):
        raise WebhookUnknown(number)
    return hook


def _administers(ask: Ask, hook: Webhook) -> bool:
    return allowed(ask.caller, Action.ADMIN, covered(hook.pattern))


async def every(ask: Ask) -> list[Webhook]:
    """Those that the caller administers."""
    ask.expect_somebody()
    found = await Webhooks(ask.service.database).every(ask.query.get("pattern", ""))
    return [hook for hook in found if _administers(ask, hook)]


async def show(ask: Ask) -> Webhook:
    """One of them."""
    ask.expect_somebody()
    return await _own(ask)


async def switch(ask: Ask) -> Webhook:
    """Switch one on or off."""
    ask.expect_somebody()
    hook = await _own(ask)
    webhooks = Webhooks(ask.service.database)
    await webhooks.switch(hook.id, ask.body.active)
    await ask.note("webhook.enable" if ask.body.active else "webhook.disable", hook.pattern, str(hook.id))
    return await webhooks.webhook(hook.id)


async def remove(ask: Ask) -> None:
    """Forget one."""
    ask.expect_somebody()
    hook = await _own(ask)
    await Webhooks(ask.service.database).remove(hook.id)
    await ask.note("webhook.remove", hook.pattern, str(hook.id))


async def deliveries(ask: Ask) -> list[Delivery]:
    """What it was or is to be told."""
    ask.expect_somebody()
    hook = await _own(ask)
    state = ask.query.get("state", "")
    if state not in _STATES:
        raise BadRequest("state must be waiting, delivered or dead")
    return await Webhooks(ask.service.database).deliveries(hook.id, state, ask.limit())


async def again(ask: Ask) -> None:
    """Try a delivery once more."""
    ask.expect_somebody()
    hook = await _own(ask)
    await Webhooks(ask.service.database).again(hook.id, ask.path["delivery"])


ENDPOINTS = (
    Endpoint(
        "GET", "/webhooks", every, "List webhooks", gives=list[Webhook], query=(("pattern", "only those of a pattern"),)
    ),
    Endpoint("POST", "/webhooks", create, "Make a webhook", NewWebhook, Made, status=201),
    Endpoint("GET", "/webhooks/{webhook}", show, "Show a webhook", gives=Webhook),
    Endpoint("PATCH", "/webhooks/{webhook}", switch, "Switch a webhook on or off", Switch, Webhook),
    Endpoint("DELETE", "/webhooks/{webhook}", remove, "Remove a webhook"),
    Endpoint(
        "GET",
        "/webhooks/{webhook}/deliveries",
        deliveries,
        "List what it was told and is to be told",
        gives=list[Delivery],
        query=(("state", "waiting, delivered or dead"), N),
    ),
    Endpoint("POST", "/webhooks/{webhook}/deliveries/{delivery}/retry", again, "Try a delivery once more"),
)
