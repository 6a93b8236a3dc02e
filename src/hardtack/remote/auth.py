"""Proving who we are to one registry: basic credentials or bearer tokens, kept and renewed.

One `Authorizer` belongs to one registry and is shared by its threads. Credentials go to that registry and to the token
server that it names, never in clear to another machine unless that is configured, and never along a redirect.

Source: distribution, docs/spec/auth/token.md and oauth.md; RFC 6750; RFC 7617.
"""

from __future__ import annotations

import json
import threading
import time
from urllib.parse import urlencode

from hardtack.remote.body import Body
from hardtack.remote.errors import BadAnswer, RateLimited, RemoteError, ServerFailed, Unauthorized, printable
from hardtack.remote.headers import Challenge, parse_challenges, parse_retry_after
from hardtack.remote.origin import Origin, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hardtack.remote.connection import Answer, Connections
    from hardtack.remote.credentials import Credential, Credentials

CLIENT_ID = "hardtack"
_TOKEN_LIMIT = 1 << 20
_DEFAULT_LIFE = 60.0  # seconds; what the specification says when a server says nothing
_MARGIN = 5.0  # seconds before its end at which a token is not used any more


class Authorizer:
    """The credentials of one registry in use.

    Args:
        host: the registry as people write it.
        origin: where its API is; Authorization is for this origin alone.
        credentials: where to look for what we have; asked once, and only when the registry wants something.
    """

    def __init__(
        self, host: str, origin: Origin, credentials: Credentials, connections: Connections, offline: bool = False
    ) -> None:
        self.host = host
        self.origin = origin
        self.identity = ""  # a refresh token that a token server gave us, for `login` to keep
        self._credentials = credentials
        self._connections = connections
        self._offline = offline
        self._lock = threading.Lock()
        self._credential: Credential | None = None
        self._challenge: Challenge | None = None
        self._tokens: dict[frozenset[str], tuple[str, float]] = {}

    def header(self, scopes: frozenset[str]) -> str:
        """The Authorization for a request that needs these scopes, by what is known so far; "" for none."""
        with self._lock:
            return self._known(scopes)

    def learn(self, values: list[str]) -> None:
        """Take note of what the registry asks for, before a request is turned down."""
        with self._lock:
            try:
                self._challenge = self._choose(values)
            except RemoteError:
                self._challenge = None  # the request itself will meet it and say so

    def renew(self, values: list[str], scopes: frozenset[str], refused: str) -> str:
        """The Authorization after a request was turned down with 401.

        Args:
            values: the WWW-Authenticate headers of the refusal.
            refused: the Authorization that was not enough, "" when none was sent.
        Raises:
            Unauthorized: there is nothing better to send.
        """
        with self._lock:
            current = self._known(scopes)
            if current and current != refused:
                return current  # another thread has renewed it in the meantime
            self._challenge = challenge = self._choose(values)
            self._tokens.pop(scopes, None)
            if challenge.scheme == "basic":
                return self._basic(refused)
            return self._bearer(challenge, scopes)

    def refused(self, values: list[str]) -> Unauthorized:
        """The error for a second 401 in a row."""
        what = "the registry refused a token that was made for it"
        try:
            challenge = self._choose(values)
            if challenge.scheme == "basic":
                what = f"{self.host} refused the name or the password"
            elif challenge.parameters.get("error") == "insufficient_scope" or not self._find():
                what = f"{self.host} denies access: the repository does not exist, or needs other rights"
        except RemoteError:
            pass
        return Unauthorized(self.host, what)

    def _known(self, scopes: frozenset[str]) -> str:
        challenge = self._challenge
        if challenge is None:
            return ""
        if challenge.scheme == "basic":
            credential = self._find()
            return credential.basic() if credential.username and self._may_send(self.origin) else ""
        token, until = self._tokens.get(scopes, ("", 0.0))
        return f"Bearer {token}" if token and time.monotonic() < until else ""

    def _find(self) -> Credential:
        if self._credential is None:
            self._credential = self._credentials.find(self.host)
        return self._credential

    def _choose(self, values: list[str]) -> Challenge:
        try:
            offered = parse_challenges(values)
        except ValueError as error:
            raise BadAnswer(self.host, f"its WWW-Authenticate is malformed, {error}") from None
        for scheme in ("bearer", "basic"):
            for challenge in offered:
                if challenge.scheme == scheme and (scheme == "basic" or challenge.parameters.get("realm")):
                    return challenge
        names = ", ".join(challenge.scheme for challenge in offered) or "nothing"
        raise BadAnswer(self.host, f"it asks to log in by {names}, where basic and bearer are supported")

    def _basic(self, refused: str) -> str:
        credential = self._find()
        if not credential.username:
            raise Unauthorized(self.host, f"{self.host} needs a name and a password")
        if refused == credential.basic():
            raise Unauthorized(self.host, f"{self.host} refused the name or the password")
        self._check_wire(self.origin)
        return credential.basic()

    def _bearer(self, challenge: Challenge, scopes: frozenset[str]) -> str:
        credential = self._find()
        if credential.registry_token:
            if not _fits_header(credential.registry_token):
                raise Unauthorized(self.host, f"the token kept for {self.host} has characters that no header can carry")
            self._check_wire(self.origin)
            return f"Bearer {credential.registry_token}"
        asked = merge_scopes((*scopes, *challenge.parameters.get("scope", "").split()))
        answer = self._fetch(challenge, asked, credential)
        token = answer.get("token") or answer.get("access_token")
        if not isinstance(token, str) or not _fits_header(token):
            raise BadAnswer(self.host, "its token server sent no token")
        life = answer.get("expires_in")
        seconds = float(life) if isinstance(life, (int, float)) and 0 < life < 1e9 else _DEFAULT_LIFE
        if isinstance(answer.get("refresh_token"), str):
            self.identity = answer["refresh_token"]
        self._tokens[scopes] = (token, time.monotonic() + seconds - min(_MARGIN, seconds / 2))
        return f"Bearer {token}"

    def _fetch(self, challenge: Challenge, scopes: list[str], credential: Credential) -> dict[str, Any]:
        realm = challenge.parameters["realm"]
        try:
            if not realm.lower().startswith(("http://", "https://")):
                raise ValueError(f"it is no URL: {realm}")
            origin, target = resolve(self.origin, "/", realm)
        except ValueError as error:
            raise BadAnswer(self.host, f"where its token server is cannot be read, {error}") from None
        if credential:
            self._check_wire(origin)
        fields = [("service", challenge.parameters.get("service", ""))]
        fields = [field for field in fields if field[1]]
        headers = {"User-Agent": CLIENT_ID, "Accept": "application/json"}
        if credential.identity:
            fields += [("client_id", CLIENT_ID), ("grant_type", "refresh_token")]
            fields += [("refresh_token", credential.identity)]
            fields += [("scope", " ".join(scopes))] if scopes else []
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = Body(urlencode(fields).encode())
            return self._read(self._connections.ask(origin, "POST", target, headers, body), credential)
        fields += [("scope", scope) for scope in scopes]
        if credential.username:
            fields.append(("account", credential.username))
            headers["Authorization"] = credential.basic()
        if self._offline:
            fields += [("client_id", CLIENT_ID), ("offline_token", "true")]
        target += ("&" if "?" in target else "?") + urlencode(fields) if fields else ""
        return self._read(self._connections.ask(origin, "GET", target, headers), credential)

    def _read(self, reply: Answer, credential: Credential) -> dict[str, Any]:
        with reply:
            data = reply.body(_TOKEN_LIMIT, "a token")
        server = reply.origin.authority
        if reply.status in (400, 401, 403):
            if credential:
                raise Unauthorized(self.host, f"{server} refused the name or the password for {self.host}")
            raise Unauthorized(self.host, f"{server} gives no token to somebody who is not logged in")
        if reply.status == 429:
            raise RateLimited(server, parse_retry_after(reply.headers.get("Retry-After"), time.time()), "token server")
        if reply.status >= 500:
            raise ServerFailed(server, reply.status, "token server")
        if reply.status != 200:
            raise BadAnswer(server, f"its token server answered with status {reply.status}")
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise BadAnswer(server, "its token server sent something else than JSON")
        return value

    def _may_send(self, origin: Origin) -> bool:
        return origin.scheme == "https" or self._connections.host(origin).allows_plain_credentials()

    def _check_wire(self, origin: Origin) -> None:
        if not self._may_send(origin):
            raise Unauthorized(
                self.host,
                f"{printable(origin.authority)} wants credentials over plain HTTP, where anybody on the way can read "
                "them; nothing was sent",
                f'If that is meant to be so, set plain_http = true under [registry."{origin.authority}"]',
            )


def _fits_header(token: str) -> bool:
    return token != "" and token.isascii() and token.isprintable()


def merge_scopes(scopes: Iterable[str]) -> list[str]:
    """Scopes with each resource once: `repository:a:pull` and `repository:a:push` are `repository:a:pull,push`."""
    merged: dict[str, set[str]] = {}
    for scope in scopes:
        resource, _, actions = scope.rpartition(":")
        merged.setdefault(resource, set()).update(actions.split(","))
    return [f"{resource}:{','.join(sorted(actions))}" for resource, actions in sorted(merged.items())]
