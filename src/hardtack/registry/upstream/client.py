"""Asking one upstream: its address, its credentials, its pace, redirects, and what a status means.

Credentials are shown to the upstream's own origin and to nobody else: a redirect to another host is followed without
them. A redirect from TLS to plain HTTP is not followed. Every address, of redirects and token servers too, has passed
the session's filter.

Source: OCI distribution-spec 1.1; RFC 9110, section 15.4.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from hardtack.registry.errors import CannotServe
from hardtack.registry.net.client import session, trusting
from hardtack.registry.net.filter import AddressForbidden
from hardtack.registry.upstream.errors import UpstreamDenied, UpstreamError, UpstreamFailed, UpstreamLimited
from hardtack.registry.upstream.pacing import Pace
from hardtack.registry.upstream.tokens import Tokens
from hardtack.remote.errors import printable
from hardtack.remote.headers import parse_retry_after
from hardtack.remote.origin import Origin, resolve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hardtack.registry.config.upstreams import Upstream
    from hardtack.registry.net.filter import AddressFilter

_HOPS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_TOKEN_LIMIT = 1 << 20
_CONNECTIONS = 64


class NotThere(Exception):
    """The upstream has no such thing (404)."""


class Client:
    """The client of one upstream, in one process.

    Raises:
        CannotServe: its file of certificates cannot be used.
    """

    def __init__(self, upstream: Upstream, addresses: AddressFilter) -> None:
        self.upstream = upstream
        self.origin = upstream.origin
        self.host = self.origin.authority
        self.pace = Pace()
        timeout = aiohttp.ClientTimeout(
            total=None, connect=upstream.timeout, sock_connect=upstream.timeout, sock_read=upstream.stall
        )
        self._session = session(addresses, timeout, _tls(upstream), _CONNECTIONS)
        self._tokens = Tokens(upstream, self.origin, self._ask_token)

    async def close(self) -> None:
        """Close its connections."""
        await self._session.close()

    @asynccontextmanager
    async def ask(
        self, method: str, name: str, path: str, headers: dict[str, str] | None = None, counted: bool = False
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask for something of a repository; the answer has a status of 200 or 206.

        Args:
            path: below /v2/NAME/.
            counted: the upstream's allowance counts it.
        Raises:
            NotThere: it has none.
            UpstreamFailed, UpstreamDenied, UpstreamLimited.
        """
        if (hindrance := self.hindrance(counted)) is not None:
            raise hindrance
        response = await self._authorised(method, f"/v2/{name}/{path}", f"repository:{name}:pull", headers or {})
        async with response:
            self.pace.told(time.monotonic(), response.headers.get("ratelimit-remaining"))
            self._judge(response, name, counted)
            try:
                yield response
            except (aiohttp.ClientError, TimeoutError) as error:
                raise UpstreamFailed(self.host, f"its answer broke off: {_reason(error)}") from error

    def hindrance(self, counted: bool = False) -> UpstreamError | None:
        """Why the upstream is not asked at present, when it is not."""
        now = time.monotonic()
        if self.pace.down(now):
            return UpstreamFailed(self.host, "it did not answer a moment ago")
        if wait := self.pace.limited(now, counted):
            return UpstreamLimited(self.host, wait)
        return None

    def pause(self) -> float:
        """Seconds for which it is left alone after a failure."""
        return self.pace.down(time.monotonic())

    async def _authorised(
        self, method: str, target: str, scope: str, headers: dict[str, str]
    ) -> aiohttp.ClientResponse:
        shown = self._tokens.header(scope)
        response = await self._follow(method, target, headers, shown)
        if response.status == 401 and Origin.of(response.url.scheme, response.url.raw_authority) == self.origin:
            challenges = response.headers.getall("WWW-Authenticate", [])
            response.release()
            shown = await self._tokens.renew(challenges, scope, shown)
            response = await self._follow(method, target, headers, shown)
        return response

    async def _follow(self, method: str, target: str, headers: dict[str, str], shown: str) -> aiohttp.ClientResponse:
        origin = self.origin
        for _ in range(_HOPS):
            own = {"Authorization": shown} if shown and origin == self.origin else {}
            response = await self._send(method, origin, target, {**headers, **own})
            if response.status not in _REDIRECTS:
                return response
            location = response.headers.get("Location", "")
            response.release()
            try:
                before, (origin, target) = origin, resolve(origin, target, location)
            except ValueError as error:
                raise UpstreamFailed(self.host, f"it redirects to {error}") from None
            if before.scheme == "https" and origin.scheme == "http":
                raise UpstreamFailed(self.host, "it redirects from TLS to plain HTTP")
        raise UpstreamFailed(self.host, "it redirects in circles")

    async def _send(self, method: str, origin: Origin, target: str, headers: dict[str, str]) -> aiohttp.ClientResponse:
        """One request. Whether it could be made at all tells whether the upstream is up."""
        headers = {"Accept-Encoding": "identity", **headers}
        try:
            url = URL(f"{origin}{target}", encoded=True)
            async with asyncio.timeout(self.upstream.timeout):
                response = await self._session.request(method, url, headers=headers, allow_redirects=False)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            if origin == self.origin:
                self.pace.failed(time.monotonic())
            raise UpstreamFailed(self.host, _reason(error)) from error
        if origin == self.origin and response.status < 500:
            self.pace.answered()
        return response

    def _judge(self, response: aiohttp.ClientResponse, name: str, counted: bool) -> None:
        status = response.status
        if status in (200, 206):
            return
        wait = parse_retry_after(response.headers.get("Retry-After"), time.time())
        if status == 404:
            raise NotThere
        if status in (401, 403):
            raise UpstreamDenied(
                self.host, f"{self.host} denies access to {name}: it does not exist there, or needs other rights"
            )
        if status == 429:
            raise UpstreamLimited(self.host, self.pace.refused(time.monotonic(), counted, wait))
        if status >= 500:
            self.pace.failed(time.monotonic())
        raise UpstreamFailed(self.host, f"it answered with status {status}")

    async def _ask_token(self, origin: Origin, target: str, headers: dict[str, str]) -> tuple[int, bytes]:
        response = await self._send("GET", origin, target, headers)
        async with response:
            if response.status == 429:
                wait = parse_retry_after(response.headers.get("Retry-After"), time.time())
                raise UpstreamLimited(self.host, self.pace.refused(time.monotonic(), False, wait))
            return response.status, await whole(response, _TOKEN_LIMIT, self.host, "a token")


async def whole(response: aiohttp.ClientResponse, limit: int, host: str, what: str) -> bytes:
    """The whole body of an answer.

    Raises:
        UpstreamFailed: it is larger than `limit`, or broke off.
    """
    parts: list[bytes] = []
    size = 0
    try:
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > limit:
                response.close()
                raise UpstreamFailed(host, f"it sent more than {limit:,} bytes for {what}")
            parts.append(chunk)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise UpstreamFailed(host, f"its answer broke off: {_reason(error)}") from error
    return b"".join(parts)


def _tls(upstream: Upstream) -> ssl.SSLContext | None:
    if not upstream.ca:
        return None
    try:
        return trusting(upstream.ca)
    except (OSError, ssl.SSLError) as error:
        raise CannotServe(
            f"the certificates of the upstream {upstream.url} cannot be used: {upstream.ca}: {error}",
            "Give a PEM file as ca under [[upstream]]",
        ) from error


def _reason(error: BaseException) -> str:
    cause = getattr(error, "os_error", None)
    if isinstance(cause, AddressForbidden):
        return str(cause.strerror)
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    return printable(str(error) or type(error).__name__)
