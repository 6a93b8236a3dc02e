"""What can go wrong with a registry, one class per cause, the facts as attributes.

The message says why, so that the caller can put "cannot pull X:" in front. `transient` says whether the same request
may succeed a moment later; the retry policy reads nothing else. Text that a server sent is made printable here.
"""

from __future__ import annotations

from hardtack.errors import TackError


def printable(text: str, limit: int = 300) -> str:
    """Make a server's text safe for a terminal: no control characters, one line, bounded."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text[: limit * 4]).split())
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


class RemoteError(TackError):
    """A registry, or the way to it, failed.

    Attributes:
        host: the registry as people write it, with its port.
        transient: whether the same request may succeed a moment later.
    """

    transient = False

    def __init__(self, host: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.host = host


class Unreachable(RemoteError):
    """No connection: name, route, port, proxy, or the connection broke before an answer."""

    def __init__(self, host: str, reason: str, transient: bool = False, hint: str = "") -> None:
        hint = hint or "Check the name, the port and the network"
        super().__init__(host, f"no connection to {host}: {printable(reason)}", hint)
        self.reason = reason
        self.transient = transient


class Untrusted(RemoteError):
    """TLS could not be agreed on, or the certificate is not one that we trust."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(
            host,
            f"the certificate or TLS of {host} was not accepted: {printable(reason)}",
            f'Give its CA as ca = "FILE" under [registry."{host}"] in hardtack\'s config.toml',
        )
        self.reason = reason


class Unauthorized(RemoteError):
    """The registry wants credentials that we lack, or refuses those we have."""

    def __init__(self, host: str, reason: str, hint: str = "") -> None:
        super().__init__(host, reason, hint or f"Log in with: tack login {host}")
        self.reason = reason


class Denied(RemoteError):
    """The registry knows who asks and says no (403); when it says why (a quota, a right), logging in is no advice."""

    def __init__(self, host: str, what: str, text: str = "") -> None:
        detail, hint = (f" ({printable(text)})", "") if text else ("", f"Log in with: tack login {host}")
        super().__init__(host, f"{host} denies access to {what}{detail}", hint)
        self.what = what


class NotFound(RemoteError):
    """What was asked for is not there (404)."""

    def __init__(self, host: str, what: str, text: str = "") -> None:
        detail = f" ({printable(text)})" if text else ""
        super().__init__(host, f"{host} has no {what}{detail}")
        self.what = what
        self.text = text


class ImageNotFound(NotFound):
    """A registry has no such tag or digest, or not even the repository; in the words that scripts look for."""

    def __init__(self, host: str, name: str, repository: str, text: str = "") -> None:
        unknown = f"manifest for {name} not found: manifest unknown"
        if "NAME_UNKNOWN" in text:
            unknown = f"repository {repository} not found: name unknown"
        RemoteError.__init__(self, host, unknown, "Check the name and the tag")
        self.what = f"manifest of {name}"
        self.text = text


class RateLimited(RemoteError):
    """Too many requests (429); `wait` is how many seconds the registry asks for, None when it does not say."""

    transient = True

    def __init__(self, host: str, wait: float | None, text: str = "") -> None:
        detail = f" ({printable(text)})" if text else ""
        hint = f"Try again in {wait:.0f} seconds, or log in" if wait else "Try again later, or log in"
        super().__init__(host, f"{host} limits the rate of requests{detail}", hint)
        self.wait = wait


class ServerFailed(RemoteError):
    """The registry failed on its side (5xx); `wait` as in `RateLimited`."""

    transient = True

    def __init__(self, host: str, status: int, text: str = "", wait: float | None = None) -> None:
        detail = f" ({printable(text)})" if text else ""
        super().__init__(host, f"{host} answered with its own failure {status}{detail}", "Try again later")
        self.status = status
        self.wait = wait


class Refused(RemoteError):
    """The registry turned the request down (any other 4xx)."""

    def __init__(self, host: str, status: int, what: str, text: str = "") -> None:
        detail = f": {printable(text)}" if text else ""
        super().__init__(host, f"{host} refused {what} with status {status}{detail}")
        self.status = status
        self.what = what


class Truncated(RemoteError):
    """The answer ended early; what arrived is kept for the next attempt."""

    transient = True

    def __init__(self, host: str, what: str, received: int, expected: int) -> None:
        super().__init__(
            host,
            f"the registry sent {received:,} of {expected:,} bytes of {what} and closed; what arrived is kept",
            "Run the command again to continue",
        )
        self.what = what
        self.received = received
        self.expected = expected


class Stalled(RemoteError):
    """Nothing arrived for longer than the stall timeout; what arrived before is kept."""

    transient = True

    def __init__(self, host: str, what: str, seconds: float) -> None:
        super().__init__(
            host,
            f"{host} sent nothing of {what} for {seconds:g} seconds; what arrived is kept",
            "Run the command again to continue",
        )
        self.what = what
        self.seconds = seconds


class BadAnswer(RemoteError):
    """The answer breaks the protocol: not what the distribution API says it should be."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(host, f"{host} does not answer as a registry should: {printable(reason)}")
        self.reason = reason


class TooLarge(RemoteError):
    """The answer is larger than its kind may be, or than its descriptor says."""

    def __init__(self, host: str, what: str, limit: int, size: int | None = None) -> None:
        said = "more" if size is None else f"{size:,} bytes"
        super().__init__(host, f"{host} sends {said} for {what} where {limit:,} bytes are the most")
        self.what = what
        self.limit = limit
        self.size = size


class DigestLie(RemoteError):
    """The content is not what its digest says."""

    def __init__(self, host: str, what: str, expected: str, actual: str) -> None:
        super().__init__(
            host,
            f"{host} sent {what} whose content is {actual}, not {expected}; it was thrown away",
            "Somebody on the way, or the registry itself, changes content: do not trust it before that is found",
        )
        self.what = what
        self.expected = expected
        self.actual = actual


class SchemaOne(RemoteError):
    """A manifest in Docker's schema 1, which names layers by something that is not their content."""

    def __init__(self, host: str, what: str) -> None:
        super().__init__(
            host,
            f"{host} holds {what} only as a schema 1 manifest, the form from before 2016 which cannot be verified",
            "Push the image again with a client of this decade",
        )
        self.what = what


class CredentialsInvalid(RemoteError):
    """The credentials file cannot be used; `path` names it."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__("", f"the credentials in {path} cannot be used: {reason}")
        self.path = path
        self.reason = reason


class HelperFailed(RemoteError):
    """A docker-credential-* program is missing, slow or failed."""

    def __init__(self, program: str, reason: str, hint: str = "") -> None:
        super().__init__("", f"the credential helper {program} {printable(reason)}", hint)
        self.program = program
        self.reason = reason


class ConfigInvalid(RemoteError):
    """hardtack's config.toml says something that has no meaning; `path` names the file."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__("", f"{path} cannot be used: {reason}")
        self.path = path
        self.reason = reason


class Cancelled(RemoteError):
    """Another part of the same operation failed first; this one stopped."""

    def __init__(self) -> None:
        super().__init__("", "stopped because another part failed")
