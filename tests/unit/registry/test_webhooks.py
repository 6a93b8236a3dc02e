"""Webhooks: what is signed, who is told what, and what becomes of those who do not listen."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from hardtack.oci.digest import Digest
from hardtack.registry.events import payload
from hardtack.registry.events.dispatch import Dispatcher
from hardtack.registry.events.errors import WebhookInvalid, WebhookUnknown
from hardtack.registry.events.webhooks import Webhooks
from hardtack.registry.metadata.database import Database
from hardtack.registry.metadata.rows import NewManifest
from hardtack.registry.metadata.store import Metadata
from support.databases import Clock


def test_a_delivery_is_signed_as_the_standard_says() -> None:
    key = b"k" * 32
    secret = "whsec_" + base64.b64encode(key).decode()
    made = payload.headers("msg_1", 1700000000.9, '{"a":1}', secret)
    expected = base64.b64encode(hmac.new(key, b'msg_1.1700000000.{"a":1}', hashlib.sha256).digest()).decode()
    assert (made["webhook-id"], made["webhook-timestamp"]) == ("msg_1", "1700000000")
    assert made["webhook-signature"] == f"v1,{expected}"


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!", "secret", "whsec_" + "A" * 100])
def test_secrets_outside_the_standard_are_none(text: str) -> None:
    assert not payload.is_secret(text)
    assert payload.is_secret(payload.new_secret())


def test_pauses_grow_and_end_after_about_a_day() -> None:
    pauses = [payload.pause_after(count) for count in range(1, payload.ATTEMPTS + 1)]
    assert pauses[-1] is None
    waits = [pause for pause in pauses if pause is not None]
    assert waits == sorted(waits)
    assert 20 * 3600 < sum(waits) < 30 * 3600


class Receiver:
    """A receiver that answers as it is told to, and remembers what it heard."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.heard: list[tuple[str, dict[str, object]]] = []
        self.url = ""
        self.slowness = 0.0

    async def handle(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self.slowness)
        self.heard.append((request.headers["webhook-id"], await request.json()))
        status = self.answers.pop(0) if self.answers else 204
        return web.Response(status=status, headers={"Location": self.url} if status == 302 else {})


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiver
    await runner.cleanup()


@pytest.fixture
async def dispatcher(database: Database) -> AsyncIterator[Dispatcher]:
    async with aiohttp.ClientSession() as session:
        yield Dispatcher(database, Webhooks(database), session)


async def push(database: Database, repository: str, tag: str) -> None:
    raw = f"{repository}:{tag}".encode()
    manifest = NewManifest(Digest.of(raw), "application/json", raw)
    await Metadata(database).put_manifest(repository, manifest, [tag], "ada", lambda tag, before: None)


async def test_who_asked_for_it_is_told_what_happened(
    database: Database, dispatcher: Dispatcher, receiver: Receiver
) -> None:
    webhooks = Webhooks(database)
    hook, secret = await webhooks.create("team/**", receiver.url, "ada", ["tag", "delete"])
    assert payload.is_secret(secret)
    await push(database, "team/a", "v1")
    await push(database, "others/a", "v1")
    await Metadata(database).delete_manifest("team/a", Digest.of(b"team/a:v1"), "bob", 0)
    assert await dispatcher.round() > 0
    said = [(body["type"], body["data"]) for _, body in receiver.heard]
    digest = str(Digest.of(b"team/a:v1"))
    common = {"repository": "team/a", "digest": digest, "mediaType": "application/json", "size": 9}
    assert sorted(said, key=lambda one: str(one[0])) == [
        ("delete", {**common, "actor": "bob"}),
        ("tag", {**common, "tag": "v1", "actor": "ada"}),
    ]
    assert {delivery.state for delivery in await webhooks.deliveries(hook.id)} == {"delivered"}
    assert await dispatcher.round() == 0


async def test_a_receiver_that_fails_is_told_again_under_the_same_id_and_in_the_end_given_up(
    database: Database, dispatcher: Dispatcher, receiver: Receiver, clock: Clock
) -> None:
    webhooks = Webhooks(database)
    hook, _ = await webhooks.create("**", receiver.url, "ada", ["tag"])
    receiver.answers = [500, 302]
    await push(database, "a", "v1")
    for _ in range(3):
        await dispatcher.round()
        clock.now += 3600
    assert len(receiver.heard) == 3
    assert len({name for name, _ in receiver.heard}) == 1
    receiver.answers = [503] * payload.ATTEMPTS
    await push(database, "a", "v2")
    for _ in range(payload.ATTEMPTS + 3):
        await dispatcher.round()
        clock.now += 7 * 3600
    (dead,) = await webhooks.deliveries(hook.id, "dead")
    assert (dead.attempts, dead.status) == (payload.ATTEMPTS, "503 Service Unavailable")
    await webhooks.again(hook.id, dead.id)
    await dispatcher.round()
    assert await webhooks.deliveries(hook.id, "dead") == []
    assert json.loads(dead.body)["data"]["tag"] == "v2"


async def test_a_receiver_that_is_gone_is_told_nothing_more(
    database: Database, dispatcher: Dispatcher, receiver: Receiver
) -> None:
    webhooks = Webhooks(database)
    hook, _ = await webhooks.create("**", receiver.url, "ada", ["tag"])
    receiver.answers = [410]
    await push(database, "a", "v1")
    await dispatcher.round()
    assert not (await webhooks.webhook(hook.id)).active
    await push(database, "a", "v2")
    await dispatcher.round()
    assert len(receiver.heard) == 1


async def test_a_slow_receiver_keeps_nobody_else_waiting(
    database: Database, dispatcher: Dispatcher, receiver: Receiver
) -> None:
    webhooks = Webhooks(database)
    receiver.slowness = 5.0
    slow, _ = await webhooks.create("**", receiver.url, "ada", ["tag"])
    for number in range(20):
        await push(database, "a", f"v{number}")
    await dispatcher.round()
    runner = web.AppRunner(web.Application())
    quick = Receiver()
    runner.app.router.add_post("/hook", quick.handle)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await webhooks.create("**", f"http://127.0.0.1:{runner.addresses[0][1]}/hook", "ada", ["tag"])
    await push(database, "a", "w")
    try:
        async with asyncio.timeout(3):
            while not quick.heard:
                await dispatcher.round()
    finally:
        await runner.cleanup()
    assert receiver.heard == []
    assert len(await webhooks.deliveries(slow.id, "waiting")) == 21


async def test_what_happened_is_told_once_per_webhook_and_kept_for_none(
    database: Database, dispatcher: Dispatcher
) -> None:
    webhooks = Webhooks(database)
    await push(database, "a", "v1")
    assert await webhooks.spread() == 2
    assert await webhooks.spread() == 0
    hook, _ = await webhooks.create("**", "http://127.0.0.1:9/", "ada")
    await push(database, "a", "v2")
    await dispatcher.round()
    waiting = await webhooks.deliveries(hook.id, "waiting")
    assert len(waiting) == 2
    assert all(delivery.attempts == 1 and delivery.status for delivery in waiting)
    await webhooks.remove(hook.id)
    with pytest.raises(WebhookUnknown):
        await webhooks.webhook(hook.id)


@pytest.mark.parametrize(
    ("url", "kinds"),
    [("ftp://x/", []), ("http://", []), ("http://a b/", []), ("http://u:p@x/", []), ("", []), ("http://x/", ["pull"])],
)
async def test_what_cannot_be_a_webhook_is_refused(database: Database, url: str, kinds: list[str]) -> None:
    with pytest.raises(WebhookInvalid):
        await Webhooks(database).create("**", url, "ada", kinds)
