"""The registry's pages in a real browser: they look as meant, nothing is blocked by their own policy, keys work."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.our_registry import image_config
from support.registry_worker import Worker, registry_worker

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--remote-debugging-port=0"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
EVIL = "<script>document.title='owned'</script><img src=x onerror=document.title='owned'>"


class Browser:
    """A page of Debian's chromium, driven by its debugging protocol."""

    def __init__(self, address: str) -> None:
        import aiohttp

        self._aiohttp = aiohttp
        self.address = address

    async def __aenter__(self) -> Browser:
        self._session = self._aiohttp.ClientSession()
        self._socket = await self._session.ws_connect(self.address, max_msg_size=0)
        self._number = 0
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            answer = await self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    async def _receive(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads((await self._socket.receive()).data)
        if answer.get("method") == "Log.entryAdded":
            self.complaints.append(answer["params"]["entry"]["text"])
        elif answer.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(answer["params"]))
        return answer

    async def open(self, url: str) -> None:
        await self.call("Page.navigate", url=url)
        while (await self._receive()).get("method") != "Page.loadEventFired":
            pass

    async def evaluate(self, expression: str) -> Any:
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        return answer["result"].get("value")

    async def press(self, key: str) -> None:
        text = key if len(key) == 1 else ""
        code = {"Tab": 9, "Enter": 13}.get(key, ord(key[0]))
        values = {"key": key, "windowsVirtualKeyCode": code, "text": "\r" if key == "Enter" else text}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **values)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key)


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
    """The address at which a fresh page of a browser listens. Costs a second."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed (Debian: chromium)")
    folder = tmp_path_factory.mktemp("chromium")
    process = subprocess.Popen(
        [program, *FLAGS, f"--user-data-dir={folder}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield _page_of(folder, process)
    finally:
        process.terminate()
        process.wait(20)


def _page_of(folder: Path, process: subprocess.Popen[bytes]) -> str:
    port = folder / "DevToolsActivePort"
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        try:
            number = port.read_text().split("\n")[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{number}/json/list", timeout=5) as answer:
                pages = [page for page in json.load(answer) if page["type"] == "page"]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
        except OSError:
            pass
        time.sleep(0.05)
    pytest.fail("chromium did not start")


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


# The contrast of every piece of text with the nearest background behind it. Source: WCAG 2.2, 1.4.3.
CONTRAST = """
(() => {
  const light = (c) => { const [r, g, b] = c.map((v) => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
                         return .2126 * r + .7152 * g + .0722 * b; };
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgb = (text) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
                          return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const behind = (node) => { for (; node; node = node.parentElement) {
      const c = rgb(getComputedStyle(node).backgroundColor); if (c[3] > 250) return c; } return [255, 255, 255, 255]; };
  const found = {};
  for (const node of document.querySelectorAll("main *")) {
    const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !node.checkVisibility() || node.closest(".unseen, svg")) continue;
    const a = light(rgb(getComputedStyle(node).color)), b = light(behind(node));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    const parent = node.parentElement;
    const key = node.tagName + "." + node.className + "@" + (parent.className || parent.tagName);
    found[key] = Math.min(found[key] ?? 99, ratio);
  }
  return found;
})()
"""


async def test_everything_can_be_reached_by_keyboard(shelf: Worker, chromium: str) -> None:
    async with Browser(chromium) as browser:
        await browser.open(f"http://{shelf.host}/")
        await browser.press("Tab")
        assert await browser.evaluate("document.activeElement.textContent") == "Skip to the content"
        await browser.press("/")
        assert await browser.evaluate("document.activeElement.id") == "q"
        await browser.call("Input.insertText", text="cook")
        await browser.press("Enter")
        while (await browser._receive()).get("method") != "Page.loadEventFired":
            pass
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
