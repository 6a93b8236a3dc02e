"""Debian's chromium, driven by its debugging protocol."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--remote-debugging-port=0"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


class Browser:
    """A page of chromium."""

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
        await self.loaded()

    async def loaded(self) -> None:
        """Wait until the next page is there."""
        while (await self._receive()).get("method") != "Page.loadEventFired":
            pass

    async def fill(self, **fields: str) -> None:
        """Type into the fields with these ids."""
        for name, text in fields.items():
            await self.evaluate(f"document.getElementById({json.dumps(name)}).select()")
            await self.call("Input.insertText", text=text)

    async def send(self, do: str) -> None:
        """Press the first button that does this, as with a mouse, and wait for the next page."""
        await self.evaluate(f"document.querySelector('button[value={json.dumps(do)}]').click()")
        await self.loaded()

    async def text(self) -> str:
        """What the page says."""
        return str(await self.evaluate("document.querySelector('main').innerText"))

    async def evaluate(self, expression: str) -> Any:
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        return answer["result"].get("value")

    async def press(self, key: str) -> None:
        text = key if len(key) == 1 else ""
        code = {"Tab": 9, "Enter": 13}.get(key, ord(key[0]))
        values = {"key": key, "windowsVirtualKeyCode": code, "text": "\r" if key == "Enter" else text}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **values)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key)


@contextmanager
def running_chromium(folder: Path) -> Iterator[str]:
    """The address at which a fresh page of a browser listens. Costs a second."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed (Debian: chromium)")
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
