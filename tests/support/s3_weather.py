"""A proxy before a real S3 server that makes bad weather: refusals, broken connections, answers that stop half way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from yarl import URL

_KEPT_BY_US = {"transfer-encoding", "connection", "content-length", "content-encoding"}


@dataclass(frozen=True)
class Refuse:
    """Answer with an error of the store's."""

    status: int
    code: str


@dataclass(frozen=True)
class Cut:
    """Pass on the request, but only so many bytes of the answer's body."""

    after: int


@dataclass(frozen=True)
class Forget:
    """Pass on the request, and break the connection instead of giving the answer."""


Trouble = Refuse | Cut | Forget


class Weather:
    """A running proxy.

    Attributes:
        endpoint: its address.
        forecast: asked for each request (method, path with query) what is to happen; None lets it pass.
        seen: the requests so far.
        hold: when it is a list, bodies of PUT requests are not read any more, and what waits for them is put there.
    """

    def __init__(self, behind: str) -> None:
        self._behind = behind
        self._session: aiohttp.ClientSession
        self.endpoint = ""
        self.forecast: Callable[[str, str], Trouble | None] = lambda method, path: None
        self.seen: list[str] = []
        self.hold: list[asyncio.Future[None]] | None = None

    def once(self, word: str, *troubles: Trouble) -> None:
        """Have the next requests whose "METHOD path" contains a word meet these troubles, one each."""
        left = list(troubles)
        self.forecast = lambda method, path: left.pop(0) if left and word in f"{method} {path}" else None

    def always(self, word: str, trouble: Trouble) -> None:
        """The same for all of them."""
        self.forecast = lambda method, path: trouble if word in f"{method} {path}" else None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.seen.append(f"{request.method} {request.raw_path}")
        if self.hold is not None and request.method == "PUT":
            self.hold.append(asyncio.get_running_loop().create_future())
            await self.hold[-1]
        if "Expect" in request.headers and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await request.content.read()  # not request.read(), which has a limit
        trouble = self.forecast(request.method, request.raw_path)
        if isinstance(trouble, Refuse):
            text = f"<?xml version='1.0'?><Error><Code>{trouble.code}</Code><Message>weather</Message></Error>"
            return web.Response(status=trouble.status, text=text, content_type="application/xml")
        url = URL(self._behind + request.raw_path, encoded=True)
        asked = {name: value for name, value in request.headers.items() if name != "Expect"}
        async with self._session.request(request.method, url, data=body, headers=asked) as answer:
            headers = {name: value for name, value in answer.headers.items() if name.lower() not in _KEPT_BY_US}
            passed = web.StreamResponse(status=answer.status, headers=headers)
            if answer.content_length is not None:
                passed.content_length = answer.content_length
            if isinstance(trouble, Forget):
                return _break(request)
            left = trouble.after if isinstance(trouble, Cut) else None
            await passed.prepare(request)
            async for chunk in answer.content.iter_any():
                if left is None:
                    await passed.write(chunk)
                    continue
                await passed.write(chunk[:left])
                left -= len(chunk)
                if left <= 0:
                    return _break(request)
            await passed.write_eof()
            return passed


def _break(request: web.BaseRequest) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


@asynccontextmanager
async def weather(behind: str) -> AsyncIterator[Weather]:
    """A proxy before a server, as long as the block lasts, in the loop of the test. Costs 5 ms."""
    made = Weather(behind)
    skip = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
    async with aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=skip) as made._session:
        runner = web.ServerRunner(web.Server(made._handle, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        made.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield made
        finally:
            await runner.cleanup()
