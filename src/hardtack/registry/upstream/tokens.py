"""Proving who we are to one upstream: basic credentials, or bearer tokens kept per scope and renewed.

Credentials go to the upstream and to the token server that it names, never in clear when the upstream is reached by
TLS, and never along a redirect: a token server that redirects is an error.

Source: distribution, docs/spec/auth/token.md; RFC 6750; RFC 7617.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

import msgspec

from hardtack.registry.upstream.errors import UpstreamDenied, UpstreamFailed
from hardtack.remote.auth import merge_scopes
from hardtack.remote.headers import Challenge, parse_challenges
from hardtack.remote.origin import Origin, resolve

if TYPE_CHECKING:
    from hardtack.registry.config.upstreams import Upstream

_LIFE = 60.0  # seconds, when a server says nothing
_MARGIN = 5.0
_KEPT = 1000


class AskToken(Protocol):
    """Sends a GET without following redirects. Returns status and body."""

    async def __call__(self, origin: Origin, target: str, headers: dict[str, str]) -> tuple[int, bytes]: ...


class Tokens:
    """What one process has to show one upstream.

    Args:
        ask: for asking token servers.
    """

    def __init__(self, upstream: Upstream, origin: Origin, ask: AskToken) -> None:
        self._upstream = upstream
        self._origin = origin
        self._ask = ask
        self._lock = asyncio.Lock()
        self._scheme = ""
        self._kept: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def header(self, scope: str) -> str:
        """The Authorization for a request that needs a scope, by what is known so far; "" for none."""
        if self._scheme == "basic":
            return self._basic()
        token, until = self._kept.get(scope, ("", 0.0))
        return f"Bearer {token}" if token and time.monotonic() < until else ""

    async def renew(self, challenges: list[str], scope: str, refused: str) -> str:
        """The Authorization after a request was turned down.

        Args:
            challenges: the WWW-Authenticate headers of the refusal.
            refused: the Authorization that was not enough, "" when none was sent.
        Raises:
            UpstreamDenied: there is nothing better to send.
            UpstreamFailed: the token server failed.
        """
        async with self._lock:
            current = self.header(scope)
            if current and current != refused:
                return current  # somebody else has renewed it in the meantime
            challenge = self._choose(challenges)
            self._scheme = challenge.scheme
            if challenge.scheme == "basic":
                return self._proven(refused)
            return await self._bearer(challenge, scope)

    def _choose(self, challenges: list[str]) -> Challenge:
        host = self._origin.authority
        try:
            offered = parse_challenges(challenges)
        except ValueError as error:
            raise UpstreamFailed(host, f"its WWW-Authenticate is malformed, {error}") from None
        for scheme in ("bearer", "basic"):
            for challenge in offered:
                if challenge.scheme == scheme and (scheme == "basic" or challenge.parameters.get("realm")):
                    return challenge
        raise UpstreamFailed(host, "it asks to log in by other ways than basic and bearer")

    def _basic(self) -> str:
        if not self._upstream.username:
            return ""
        pair = f"{self._upstream.username}:{self._upstream.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"

    def _proven(self, refused: str) -> str:
        header = self._basic()
        if not header or header == refused:
            why = "refused the configured account" if header else "needs an account, and none is configured"
            raise UpstreamDenied(self._origin.authority, f"{self._origin.authority} {why}")
        return header

    async def _bearer(self, challenge: Challenge, scope: str) -> str:
        asked = merge_scopes([scope, *challenge.parameters.get("scope", "").split()])
        fields = [("service", challenge.parameters.get("service", "")), *(("scope", one) for one in asked)]
        headers = {"Accept": "application/json"}
        credentials = self._basic()
        if credentials:
            fields.append(("account", self._upstream.username))
            headers["Authorization"] = credentials
        origin, target = self._realm(challenge.parameters["realm"])
        target += ("&" if "?" in target else "?") + urlencode([field for field in fields if field[1]])
        status, body = await self._ask(origin, target, headers)
        token, life = self._read(origin, status, body)
        self._kept[scope] = (token, time.monotonic() + life - min(_MARGIN, life / 2))
        self._kept.move_to_end(scope)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return f"Bearer {token}"

    def _realm(self, realm: str) -> tuple[Origin, str]:
        host = self._origin.authority
        try:
            if not realm.lower().startswith(("http://", "https://")):
                raise ValueError("it is no URL")
            origin, target = resolve(self._origin, "/", realm)
        except ValueError as error:
            raise UpstreamFailed(host, f"where its token server is cannot be read, {error}") from None
        if origin.scheme == "http" and self._origin.scheme == "https":
            raise UpstreamFailed(host, "its token server is reached without TLS; nothing was sent there")
        return origin, target

    def _read(self, origin: Origin, status: int, body: bytes) -> tuple[str, float]:
        host = self._origin.authority
        if status in (400, 401, 403):
            who = "the configured account" if self._upstream.username else "somebody who is not logged in"
            raise UpstreamDenied(host, f"{origin.authority} gives no token for {host} to {who}")
        if status != 200:
            raise UpstreamFailed(host, f"its token server answered with status {status}")
        try:
            answer: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError):
            answer = {}
        token, life = answer.get("token") or answer.get("access_token"), answer.get("expires_in")
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise UpstreamFailed(host, "its token server sent no token")
        return token, float(life) if isinstance(life, int | float) and 0 < life < 1e9 else _LIFE
