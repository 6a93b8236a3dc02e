"""The registry's pages in a real browser: they look as meant, nothing is blocked by their own policy, keys work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.browser import CONTRAST, Browser, running_chromium
from support.our_registry import image_config
from support.registry_worker import Worker, registry_worker

EVIL = "<script>document.title='owned'</script><img src=x onerror=document.title='owned'>"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with registry_worker(tmp_path_factory.mktemp("browser") / "root") as running:
        config = image_config(3, Labels={"evil": EVIL}, Env=["FLAVOUR=classic"])
        config["history"] = [
            {"created_by": "ADD root.tar /"},
            {"created_by": EVIL, "empty_layer": True},
            {"created_by": "RUN make dough"},
            {"created_by": "COPY . /bakery"},
        ]
        running.client.push_image("bakery/cookies", "classic", [b"a" * 9000, b"b" * 3000, b"c"], config)
        for number in range(8):
            running.client.push_image("bakery/cookies", f"v{number}")
        yield running


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_chromium(tmp_path_factory.mktemp("chromium")) as address:
        yield address


async def test_pages_are_styled_and_break_none_of_their_own_rules(shelf: Worker, chromium: str) -> None:
    async with Browser(chromium) as browser:
        for path in ("/", "/bakery/cookies", "/bakery/cookies:classic", "/none"):
            await browser.open(f"http://{shelf.host}{path}")
            colours = await browser.evaluate(
                "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector('a')).color]"
            )
            assert colours[0] != "rgba(0, 0, 0, 0)"
            assert await browser.evaluate("document.title") != "owned"
        assert [text for text in browser.complaints if "404" not in text] == []


async def test_a_page_fits_a_telephone(shelf: Worker, chromium: str) -> None:
    async with Browser(chromium) as browser:
        size = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
        await browser.call("Emulation.setDeviceMetricsOverride", **size)
        for path in ("/", "/bakery/cookies", "/bakery/cookies:classic"):
            await browser.open(f"http://{shelf.host}{path}")
            assert await browser.evaluate("document.documentElement.scrollWidth") <= 360, path
        await browser.call("Emulation.clearDeviceMetricsOverride")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_can_be_read_by_day_and_by_night(shelf: Worker, chromium: str, scheme: str) -> None:
    async with Browser(chromium) as browser:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await browser.call("Emulation.setEmulatedMedia", features=features)
        await browser.open(f"http://{shelf.host}/bakery/cookies:classic")
        contrast = await browser.evaluate(CONTRAST)
        assert contrast, "no text was found"
        assert min(contrast.values()) >= 4.5, {text: ratio for text, ratio in contrast.items() if ratio < 4.5}
        await browser.call("Emulation.setEmulatedMedia", features=[])


async def test_everything_can_be_reached_by_keyboard(shelf: Worker, chromium: str) -> None:
    async with Browser(chromium) as browser:
        await browser.open(f"http://{shelf.host}/")
        await browser.press("Tab")
        assert await browser.evaluate("document.activeElement.textContent") == "Skip to the content"
        await browser.press("/")
        assert await browser.evaluate("document.activeElement.id") == "q"
        await browser.call("Input.insertText", text="cook")
        await browser.press("Enter")
        await browser.loaded()
        assert await browser.evaluate("location.search") == "?q=cook"
        assert await browser.evaluate("document.querySelectorAll('.card').length") == 1


async def test_a_command_is_copied_by_its_button(shelf: Worker, chromium: str) -> None:
    async with Browser(chromium) as browser:
        origin = f"http://localhost:{shelf.host.split(':')[1]}"
        allowed = ["clipboardReadWrite", "clipboardSanitizedWrite"]
        await browser.call("Browser.grantPermissions", origin=origin, permissions=allowed)
        await browser.open(f"{origin}/bakery/cookies:classic")
        await browser.call("Page.bringToFront")
        assert await browser.evaluate("document.querySelector('button.copy').hidden") is False
        await browser.evaluate("document.querySelector('button.copy').click()")
        await browser.evaluate("new Promise((done) => setTimeout(done, 200))")
        assert await browser.evaluate("document.querySelector('button.copy').textContent") == "Copied"
        copied = await browser.evaluate("navigator.clipboard.readText()")
        assert copied == f"tack pull {origin.removeprefix('http://')}/bakery/cookies:classic"
