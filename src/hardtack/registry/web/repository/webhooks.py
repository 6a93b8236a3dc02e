"""Who is told of what happens in a repository, and what became of the telling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.events.payload import KINDS
from hardtack.registry.events.webhooks import Webhooks
from hardtack.registry.web import guards
from hardtack.registry.web.addresses import number
from hardtack.registry.web.page import Done, Missing, Page
from hardtack.registry.web.repository.common import shown

if TYPE_CHECKING:
    from hardtack.registry.events.webhooks import Webhook
    from hardtack.registry.web.page import Shown
    from hardtack.registry.web.visit import Visit

_TAB = "/-/settings"
_STATES = ("waiting", "delivered", "dead")


def _library(visit: Visit) -> Webhooks:
    return Webhooks(visit.service.database)


async def listing(visit: Visit, secret: str = "", made: Webhook | None = None) -> Shown:
    """Webhooks of the repository alone; those of patterns are for the JSON API and the shell."""
    hooks = await _library(visit).every(visit.name)
    return await shown(visit, "settings_webhooks.html", _TAB, hooks=hooks, kinds=KINDS, secret=secret, made=made)


async def create(visit: Visit) -> Shown:
    """Make one, and show its secret, this once."""
    kinds = [kind for kind in KINDS if visit.fields.get(f"kind-{kind}")]
    hook, secret = await _library(visit).create(visit.name, visit.field("url"), visit.caller.name, kinds)
    await visit.note("webhook.create", visit.name, str(hook.id))
    return await listing(visit, secret, hook)


async def _own(visit: Visit) -> Webhook:
    """The webhook that the path names. Raises Missing: it is none of the repository's."""
    identity = number(visit.at["webhook"])
    found = [hook for hook in await _library(visit).every(visit.name) if hook.id == identity]
    if not found:
        raise Missing
    return found[0]


async def one(visit: Visit) -> Shown:
    """What a webhook was told and is to be told."""
    hook = await _own(visit)
    state = visit.query.get("state", "")
    deliveries = await _library(visit).deliveries(hook.id, state if state in _STATES else "", 100)
    return await shown(
        visit, "settings_webhook.html", _TAB, hook=hook, deliveries=deliveries, state=state, states=_STATES
    )


def _here(visit: Visit) -> str:
    return f"/{visit.name}/-/settings/webhooks/{visit.at['webhook']}"


async def retry(visit: Visit) -> Done:
    """Try a delivery once more."""
    hook = await _own(visit)
    await _library(visit).again(hook.id, visit.field("delivery"))
    return Done(_here(visit), "retried")


async def switch(visit: Visit) -> Done:
    """Switch it on or off."""
    hook = await _own(visit)
    await _library(visit).switch(hook.id, not hook.active)
    await visit.note("webhook.disable" if hook.active else "webhook.enable", visit.name, str(hook.id))
    return Done(_here(visit), "saved")


async def remove(visit: Visit) -> Done:
    """Forget it."""
    hook = await _own(visit)
    await _library(visit).remove(hook.id)
    await visit.note("webhook.remove", visit.name, str(hook.id))
    return Done(f"/{visit.name}/-/settings/webhooks", "removed")


PAGES = {
    "settings/webhooks": Page(listing, guards.administrators, {"create": create}),
    "settings/webhooks/{webhook}": Page(
        one, guards.administrators, {"retry": retry, "switch": switch, "remove": remove}
    ),
}
