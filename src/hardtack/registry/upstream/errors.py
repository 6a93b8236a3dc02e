"""What goes wrong with registries that images are fetched from, and where nobody may push for that reason.

Their HTTP status belongs to the edge, `api/answers.py`.
"""

from __future__ import annotations

from hardtack.registry.errors import RegistryError


class UpstreamError(RegistryError):
    """A registry whose images are fetched from there did not give what was asked for.

    Attributes:
        host: the upstream as people write it.
    """

    code = "UNAVAILABLE"

    def __init__(self, host: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint, {"upstream": host})
        self.host = host


class UpstreamFailed(UpstreamError):
    """It cannot be reached, failed, or does not answer as a registry should."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(host, f"{host}, where this is fetched from, failed: {why}", "Try again later")


class UpstreamDenied(UpstreamError):
    """It gives this to nobody, or not to us; often its way to say that there is no such repository."""

    code = "DENIED"

    def __init__(self, host: str, why: str) -> None:
        super().__init__(host, why, "Check the name, and the account that is configured for this upstream")


class UpstreamLimited(UpstreamError):
    """It limits the rate of requests; `wait` in seconds."""

    code = "TOOMANYREQUESTS"

    def __init__(self, host: str, wait: float) -> None:
        super().__init__(
            host,
            f"{host}, where this is fetched from, limits the rate of requests",
            f"Try again in {max(1, round(wait))} seconds, or have an account configured for this upstream",
        )
        self.wait = wait


class BelongsToUpstream(RegistryError):
    """Nobody pushes to what is fetched from elsewhere."""

    code = "DENIED"

    def __init__(self, repository: str, host: str) -> None:
        super().__init__(
            f"{repository} is fetched from {host}, so nothing can be pushed to it here",
            f"Push to {host}, or choose another name",
        )
