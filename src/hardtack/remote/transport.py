"""One request to a registry, sent safely: with authentication, along redirects, again after a passing failure.

Authorization goes to the registry's own origin only, never along a redirect to another one. What a request means, and
which answers it may have, is said by `client`; this module turns every other answer into an error.
"""

from __future__ import annotations

import json
import os
import random
import time

from hardtack import __version__
from hardtack.remote.connection import Connections
from hardtack.remote.errors import (
    BadAnswer,
    Denied,
    NotFound,
    RateLimited,
    Refused,
    RemoteError,
    ServerFailed,
    Unauthorized,
)
from hardtack.remote.headers import parse_retry_after
from hardtack.remote.origin import Origin, resolve
from hardtack.remote.proxy import Proxies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hardtack.remote.auth import Authorizer
    from hardtack.remote.body import Body
    from hardtack.remote.config import RegistryConfig
    from hardtack.remote.connection import Answer
    from hardtack.remote.retry import RetryPolicy

_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_MOST_REDIRECTS = 8
_ERROR_LIMIT = 64 << 10
_USER_AGENT = f"hardtack/{__version__}"


class Request:
    """What to ask a registry for.

    Args:
        target: path and query at the registry's origin.
        what: in words, for messages: "layer sha256:ab12…", "manifest a/b:1".
        expected: the statuses that the caller deals with.
        scopes: what a token has to allow, "repository:a/b:pull".
        origin: another origin than the registry's own, where an upload session may live.
    """

    __slots__ = ("body", "expected", "headers", "method", "origin", "scopes", "target", "what")

    def __init__(
        self,
        method: str,
        target: str,
        what: str,
        expected: tuple[int, ...] = (200,),
        headers: dict[str, str] | None = None,
        scopes: frozenset[str] = frozenset(),
        body: Body | None = None,
        origin: Origin | None = None,
    ) -> None:
        self.method = method
        self.target = target
        self.what = what
        self.expected = expected
        self.headers = headers or {}
        self.scopes = scopes
        self.body = body
        self.origin = origin


class Transport:
    """Sends requests for any number of registries and threads.

    Args:
        sleep: how to wait between attempts.
        jitter: a number from 0 to 1, for the waits.
    """

    def __init__(
        self,
        config: RegistryConfig,
        proxies: Proxies | None = None,
        sleep: Callable[[float], object] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.config = config
        self.connections = Connections(config, proxies or Proxies.from_environment(os.environ))
        self.sleep = sleep
        self.jitter = jitter

    def send(self, request: Request, authorizer: Authorizer, policy: RetryPolicy | None = None) -> Answer:
        """Send a request until it has an answer that its caller expects.

        Args:
            policy: when to try again, by default as configured.
        Raises:
            RemoteError: the last failure, once there is no use in another attempt.
        """
        policy = policy or self.config.retry
        failures = 0
        while True:
            try:
                return self._expected(request, authorizer)
            except RemoteError as error:
                failures += 1
                wait = policy.delay(failures, error, self.jitter())
                if wait is None:
                    raise
            self.sleep(wait)

    def close(self) -> None:
        """Close idle connections."""
        self.connections.close()

    def abort(self) -> None:
        """Break off every answer on its way; see `Connections.abort`."""
        self.connections.abort()

    def _expected(self, request: Request, authorizer: Authorizer) -> Answer:
        answer = self._authorized(request, authorizer)
        if answer.status in request.expected:
            return answer
        with answer:
            host = authorizer.host if answer.origin == authorizer.origin else answer.origin.authority
            raise failure(answer, host, request.what)

    def _authorized(self, request: Request, authorizer: Authorizer) -> Answer:
        used = authorizer.header(request.scopes)
        answer = self._redirected(request, authorizer.origin, used)
        if answer.status != 401:
            return answer
        answer.close()
        if answer.origin != authorizer.origin:
            raise Unauthorized(authorizer.host, f"{answer.origin.authority} does not let us read {request.what}")
        used = authorizer.renew(answer.headers.get_all("WWW-Authenticate") or [], request.scopes, used)
        answer = self._redirected(request, authorizer.origin, used)
        if answer.status != 401:
            return answer
        answer.close()
        raise authorizer.refused(answer.headers.get_all("WWW-Authenticate") or [])

    def _redirected(self, request: Request, home: Origin, authorization: str) -> Answer:
        origin, target = request.origin or home, request.target
        for _ in range(_MOST_REDIRECTS):
            headers = {"User-Agent": _USER_AGENT, **request.headers}
            if authorization and origin == home:
                headers["Authorization"] = authorization
            answer = self.connections.ask(origin, request.method, target, headers, request.body)
            location = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or not location or request.method not in ("GET", "HEAD"):
                return answer
            answer.close()
            try:
                origin, target = resolve(origin, target, location)
            except ValueError as error:
                raise BadAnswer(origin.authority, str(error)) from None
        raise BadAnswer(home.authority, f"more than {_MOST_REDIRECTS} redirects for {request.what}")


def failure(answer: Answer, host: str, what: str) -> RemoteError:
    """The error for an answer that was not expected."""
    status = answer.status
    text = _explanation(answer)
    if status == 403:
        return Denied(host, what, text)
    if status == 404:
        return NotFound(host, what, text)
    wait = parse_retry_after(answer.headers.get("Retry-After"), time.time())
    if status == 429:
        return RateLimited(host, wait, text)
    if status >= 500:
        return ServerFailed(host, status, text, wait)
    if status >= 400:
        return Refused(host, status, what, text)
    return BadAnswer(host, f"status {status} for {what}")


def _explanation(answer: Answer) -> str:
    """What the registry says about its refusal, in its own words; "" when it says nothing readable.

    An answer to HEAD has no body, so there a header may have it (OCI distribution-spec 1.1, "Warnings").
    """
    try:
        value = json.loads(answer.body(_ERROR_LIMIT))
        errors = value["errors"]
        parts = [f"{error.get('code', '')} {error.get('message', '')}".strip() for error in errors[:3]]
    except (RemoteError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        code, _, warning = (answer.headers.get("Warning") or "").partition(' - "')
        return warning.removesuffix('"') if code == "299" else ""
    return ", ".join(part for part in parts if part)
