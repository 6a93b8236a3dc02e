"""What one worker serves with: the two stores, the gate, the limits; and the request as a route sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from hardtack.registry.access import Action, Caller, allowed, refusal
from hardtack.registry.config.document import Config
from hardtack.registry.config.limits import Limits
from hardtack.registry.errors import RegistryError, UploadInvalid
from hardtack.registry.metrics import Metrics
from hardtack.registry.repositories.pulls import Pulls

if TYPE_CHECKING:
    from aiohttp import web

    from hardtack.registry.access import Gate
    from hardtack.registry.accounts.accounts import Accounts
    from hardtack.registry.blobs.interface import Blobs
    from hardtack.registry.metadata.database import Database
    from hardtack.registry.metadata.store import Metadata
    from hardtack.registry.upstream.cache import Upstreams

_PARAMETER_LIMIT = 256


@dataclass(frozen=True, slots=True)
class Service:
    """Everything a route may use."""

    database: Database
    metadata: Metadata
    blobs: Blobs
    gate: Gate
    limits: Limits = field(default_factory=Limits)
    config: Config = field(default_factory=Config)
    metrics: Metrics = field(default_factory=Metrics)
    pulls: Pulls = field(default_factory=Pulls)
    upstreams: Upstreams | None = None
    accounts: Accounts | None = None

    @property
    def read_only(self) -> bool:
        """Whether nothing may be changed at present, neither by a client nor by what runs in the background."""
        return self.config.server.read_only

    async def permits(self, caller: Caller, action: Action, repository: str) -> bool:
        """Whether a caller may do something: by what was granted, or because the repository is shown to them."""
        if allowed(caller, action, repository):
            return True
        if action is not Action.PULL or not repository:
            return False
        visibility = await self.metadata.visibility(repository)
        if not visibility and self.upstreams is not None:
            visibility = self.upstreams.visibility(repository)
        return allowed(caller, action, repository, visibility)

    async def expect_own(self, repository: str) -> None:
        """Refuse to push to what belongs to an upstream, or to make it our own. Raises BelongsToUpstream.

        Whoever asks a mirror for the upstream's repository would be given what somebody here put in its place.
        """
        if self.upstreams is not None:
            await self.upstreams.refuse_push(repository)


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the API, authorised for its route.

    Attributes:
        repository: a valid name, or "" where the route has none.
        reference: tag, digest or upload id as the path has it, not yet validated.
        query: the raw query.
    """

    service: Service
    request: web.BaseRequest
    caller: Caller
    repository: str
    reference: str
    query: str

    def parameters(self) -> dict[str, list[str]]:
        """The query, decoded.

        Raises:
            UploadInvalid: more than 256 parameters, or a zero byte, which not every database takes for text.
        """
        if "%00" in self.query:
            raise UploadInvalid("the query cannot be read: it has a zero byte in it")
        try:
            return parse_qs(self.query, keep_blank_values=True, max_num_fields=_PARAMETER_LIMIT)
        except ValueError as error:
            raise UploadInvalid(f"the query cannot be read: {error}") from None

    def parameter(self, name: str) -> str | None:
        """The first value of a parameter; None when it is absent."""
        values = self.parameters().get(name) if name in self.query else None
        return values[0] if values else None

    def may(self, action: Action) -> bool:
        """Whether the caller was granted something else in the repository besides what the route asked for."""
        return allowed(self.caller, action, self.repository)

    def refusal(self, action: Action) -> RegistryError:
        """The error for a caller who is not."""
        return refusal(self.caller, action, self.repository)
