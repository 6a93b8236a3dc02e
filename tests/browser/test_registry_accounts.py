"""The pages of accounts in a real browser: logging in, tokens, settings, deleting and bringing back; how they look."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from support.browser import CONTRAST, Browser, running_chromium
from support.our_registry import Answer, Client
from support.registry_worker import Worker, account, registry_worker

PAGES = (
    *("/", "/ada/cookies", "/ada/cookies/-/readme", "/ada/cookies/-/history", "/ada/cookies/-/deleted"),
    *("/ada/cookies/-/settings", "/ada/cookies/-/settings/retention", "/ada/cookies/-/settings/webhooks"),
    *("/account", "/account/tokens", "/account/robots", "/account/password", "/account/new"),
    *("/admin", "/admin/users", "/admin/users/ada", "/admin/namespaces", "/admin/audit", "/organisations/bakers"),
    *("/organisations/bakers/teams", "/organisations/bakers/grants", "/none"),
)


class Pusher(Client):
    """A client of the API with somebody's password."""

    authorization = ""

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return super().__call__(method, path, body, **{"Authorization": self.authorization, **headers})


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with registry_worker(tmp_path_factory.mktemp("browser") / "root", accounts=True) as worker:
        push = Pusher(worker.host)
        push.authorization = account(worker, "ada", admin=True)
        for number in range(3):
            push.push_image("ada/cookies", f"v{number}", [b"%d" % number * 4000])
        yield worker


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_chromium(tmp_path_factory.mktemp("chromium")) as address:
        yield address


@pytest.fixture
async def browser(shelf: Worker, chromium: str) -> AsyncIterator[Browser]:
    """A browser in which ada has logged in, by the form."""
    async with Browser(chromium) as browser:
        await browser.call("Network.clearBrowserCookies")
        await browser.open(f"http://{shelf.host}/login?next=/account")
        await browser.fill(name="ada", password="the password of ada")
        await browser.press("Enter")
        await browser.loaded()
        yield browser


async def test_a_login_leads_back_to_where_one_was(shelf: Worker, browser: Browser) -> None:
    assert await browser.evaluate("location.pathname") == "/account"
    assert await browser.evaluate("document.cookie") == ""
    await browser.evaluate("document.querySelector('.who button').click()")
    await browser.loaded()
    await browser.open(f"http://{shelf.host}/account/tokens")
    assert await browser.evaluate("location.pathname + location.search") == "/login?next=%2Faccount%2Ftokens"
    await browser.fill(name="ada", password="no such password")
    await browser.press("Enter")
    await browser.loaded()
    assert "wrong" in await browser.text()
    assert await browser.evaluate("document.getElementById('password').value") == ""


async def test_a_token_is_made_and_good(shelf: Worker, browser: Browser) -> None:
    await browser.open(f"http://{shelf.host}/account/tokens")
    await browser.fill(name="laptop")
    await browser.send("create")
    found = re.search(r"tack_pat_[a-z2-7]{12}_[0-9A-Za-z]{49}", await browser.text())
    assert found is not None
    login = base64.b64encode(f"ada:{found[0]}".encode()).decode()
    assert shelf.client("GET", "/v2/ada/cookies/tags/list", Authorization=f"Basic {login}").status == 200
    assert await browser.evaluate("document.querySelector('.secret .copy').hidden") is False
    await browser.open(f"http://{shelf.host}/account/tokens")
    assert found[0] not in await browser.text()
    await browser.send("revoke")
    assert "Revoked" in await browser.text()
    assert shelf.client("GET", "/v2/ada/cookies/tags/list", Authorization=f"Basic {login}").status == 401


async def test_a_repository_becomes_public(shelf: Worker, browser: Browser) -> None:
    assert shelf.client("GET", "/ada/cookies").status == 404
    await browser.open(f"http://{shelf.host}/ada/cookies/-/settings")
    await browser.evaluate("document.getElementById('visibility').value = 'public'")
    await browser.fill(summary="Baked twice")
    await browser.send("save")
    assert "Saved." in await browser.text()
    assert b"Baked twice" in shelf.client("GET", "/ada/cookies").body


async def test_an_image_is_deleted_and_brought_back(shelf: Worker, browser: Browser) -> None:
    await browser.open(f"http://{shelf.host}/ada/cookies:v1")
    await browser.evaluate("[...document.querySelectorAll('.actions a')].at(-1).click()")
    await browser.loaded()
    assert "FREES" in (await browser.text()).upper()
    await browser.send("delete")
    assert "brought back" in await browser.text()
    assert "v1" not in await browser.evaluate("document.querySelector('table').innerText")
    await browser.open(f"http://{shelf.host}/ada/cookies/-/deleted")
    await browser.send("restore")
    assert "It is back." in await browser.text()
    await browser.open(f"http://{shelf.host}/ada/cookies")
    assert "v1" in await browser.evaluate("document.querySelector('table').innerText")


async def test_every_page_fits_a_telephone_and_can_be_read(shelf: Worker, browser: Browser) -> None:
    await browser.open(f"http://{shelf.host}/admin/organisations")
    if "bakers" not in await browser.text():
        await browser.fill(name="bakers")
        await browser.send("create")
    await browser.open(f"http://{shelf.host}/account/robots")
    if "ada+ci" not in await browser.text():
        await browser.fill(name="ci")
        await browser.send("create")
    size = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    await browser.call("Emulation.setDeviceMetricsOverride", **size)
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await browser.call("Emulation.setEmulatedMedia", features=features)
        for path in PAGES:
            await browser.open(f"http://{shelf.host}{path}")
            assert await browser.evaluate("document.documentElement.scrollWidth") <= 360, path
            contrast = await browser.evaluate(CONTRAST)
            assert contrast, path
            assert min(contrast.values()) >= 4.5, (path, scheme, contrast)
            assert await browser.evaluate(UNNAMED) == [], path
    await browser.call("Emulation.setEmulatedMedia", features=[])
    await browser.call("Emulation.clearDeviceMetricsOverride")
    assert [text for text in browser.complaints if "404" not in text] == []


# Fields without a label and buttons without a name, which nobody could use who does not see them.
UNNAMED = """
[...document.querySelectorAll("input, select, textarea, button")]
  .filter((one) => one.type !== "hidden" && !one.hidden)
  .filter((one) => one.tagName === "BUTTON" ? !one.textContent.trim() : one.labels.length === 0)
  .map((one) => one.outerHTML)
"""
