"""Where a blob can be had: mirrors, the repository itself, or URLs of its own.

A mirror is tried first and forgiven everything; what it sends is verified like anybody's.
"""

from __future__ import annotations

from hardtack.oci import mediatypes
from hardtack.remote.auth import Authorizer
from hardtack.remote.client import RegistryClient
from hardtack.remote.credentials import Anonymous
from hardtack.remote.errors import BadAnswer
from hardtack.remote.origin import Origin, resolve
from hardtack.remote.transport import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from hardtack.oci.descriptor import Descriptor
    from hardtack.oci.digest import Digest
    from hardtack.remote.connection import Answer
    from hardtack.remote.repository import Repository
    from hardtack.remote.retry import RetryPolicy
    from hardtack.remote.transport import Transport

    class Source(Protocol):
        """Somebody who may have a blob."""

        @property
        def host(self) -> str:
            """Who it is, for messages."""
            ...

        def open(self, digest: Digest, offset: int, what: str, policy: RetryPolicy) -> Answer:
            """Ask for the bytes from `offset` on; the status is 200, 206 or 416."""
            ...


class RepositorySource:
    """A repository of a registry."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.host = repository.client.domain

    def open(self, digest: Digest, offset: int, what: str, policy: RetryPolicy) -> Answer:
        """See `Repository.blob`."""
        return self.repository.blob(digest, offset, what, policy)


class UrlSource:
    """A URL that a descriptor names. Nobody's credentials are sent there."""

    def __init__(self, url: str, transport: Transport) -> None:
        self._transport = transport
        try:
            if not url.lower().startswith(("http://", "https://")):
                raise ValueError(f"it names a layer's URL that is none: {url[:100]}")
            self._origin, self._target = resolve(Origin.of("https", "invalid"), "/", url)
        except ValueError as error:
            raise BadAnswer("the manifest", str(error)) from None
        self.host = self._origin.authority

    def open(self, digest: Digest, offset: int, what: str, policy: RetryPolicy) -> Answer:  # noqa: ARG002
        """GET the URL."""
        request = Request("GET", self._target, what, (200, 206, 416), {"Accept-Encoding": "identity"})
        if offset:
            request.headers["Range"] = f"bytes={offset}-"
        nobody = Authorizer(self.host, self._origin, Anonymous(), self._transport.connections)
        return self._transport.send(request, nobody, policy)


def mirrors_of(client: RegistryClient, path: str) -> list[Repository]:
    """The same repository at the mirrors that are configured for its registry, in order.

    A mirror is `host`, `host/prefix` or a URL of these.
    """
    found: list[Repository] = []
    for text in client.host.mirrors:
        scheme, separator, rest = text.rpartition("://")
        host, _, prefix = rest.strip("/").partition("/")
        mirror = RegistryClient(
            host, credentials=client.credentials, scheme=scheme if separator else "", transport=client.transport
        )
        found.append(mirror.repository(f"{prefix}/{path}" if prefix else path))
    return found


def sources_of(descriptor: Descriptor, sources: Sequence[Source], transport: Transport) -> list[Source]:
    """Where to ask for one blob: a layer that may not be distributed comes from its own URLs first."""
    if not (descriptor.urls and mediatypes.is_foreign(descriptor.media_type)):
        return list(sources)
    return [UrlSource(url, transport) for url in descriptor.urls] + list(sources)
