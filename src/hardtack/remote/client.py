"""One registry: which scheme it speaks, who we are to it, the way to its repositories."""

from __future__ import annotations

import threading

from hardtack.oci.reference import api_host
from hardtack.remote.auth import Authorizer
from hardtack.remote.config import HostConfig, RegistryConfig
from hardtack.remote.credentials import Credentials
from hardtack.remote.errors import BadAnswer, RemoteError, Unreachable, Untrusted
from hardtack.remote.origin import Origin
from hardtack.remote.repository import LIST_LIMIT, Repository
from hardtack.remote.transport import Request, Transport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.remote.connection import Answer
    from hardtack.remote.retry import RetryPolicy


class RegistryClient:
    """One registry. Threads may share it.

    Args:
        domain: as people write it, `docker.io`, `localhost:5000`.
        config: how registries are reached; read from the configuration files when not given.
        credentials: where to find who we are; the user's file when not given.
        scheme: `http` or `https` where a mirror's URL says so; otherwise it is found out.
        transport: to share connections with other clients.
        offline: ask token servers for a refresh token too (`login`).
    """

    def __init__(
        self,
        domain: str,
        config: RegistryConfig | None = None,
        credentials: Credentials | None = None,
        scheme: str = "",
        transport: Transport | None = None,
        offline: bool = False,
    ) -> None:
        self.domain = domain
        self.config = config or (transport.config if transport else RegistryConfig.load())
        self.transport = transport or Transport(self.config)
        self.credentials = Credentials() if credentials is None else credentials
        self.host = self.config.host(domain)
        self._scheme = scheme
        self._offline = offline
        self._lock = threading.Lock()
        self._authorizer: Authorizer | None = None

    @property
    def authorizer(self) -> Authorizer:
        """Who we are to this registry; finding it out may ask the registry which scheme it speaks."""
        with self._lock:
            failures = 0
            while self._authorizer is None:
                try:
                    self._authorizer = self._discover()
                except RemoteError as error:
                    failures += 1
                    wait = self.config.retry.delay(failures, error, self.transport.jitter())
                    if wait is None:
                        raise
                    self.transport.sleep(wait)
            return self._authorizer

    def ping(self) -> None:
        """See that it is a registry and that it accepts our credentials.

        Raises:
            Unauthorized: it does not; RemoteError: it is none, or not to be reached.
        """
        with self.send(Request("GET", "/v2/", "API of version 2")) as answer:
            answer.body(LIST_LIMIT)

    def repository(self, path: str, push: bool = False) -> Repository:
        """A repository; `push` says that tokens shall allow pushing."""
        return Repository(self, path, push)

    def send(self, request: Request, policy: RetryPolicy | None = None) -> Answer:
        """Send a request to this registry; see `Transport.send`."""
        return self.transport.send(request, self.authorizer, policy)

    def close(self) -> None:
        """Close idle connections."""
        self.transport.close()

    def _discover(self) -> Authorizer:
        """The first scheme that the registry speaks; a scheme that is the only one allowed is not tried out."""
        schemes = (self._scheme,) if self._scheme else self.host.schemes()
        name = api_host(self.domain)
        doubtful: Authorizer | None = None
        failed: RemoteError | None = None
        for scheme in schemes:
            authorizer = self._at(Origin.of(scheme, name))
            if len(schemes) == 1:
                return authorizer
            try:
                if self._speaks(authorizer):
                    return authorizer
                doubtful = doubtful or authorizer
            except (Unreachable, Untrusted, BadAnswer) as error:
                if failed is None or isinstance(error, Untrusted):
                    failed = error  # that TLS did answer says more than that plain HTTP did not
        if doubtful is None or isinstance(failed, Untrusted):
            raise failed or BadAnswer(self.domain, "it speaks neither http nor https")
        return doubtful

    def _at(self, origin: Origin) -> Authorizer:
        plain = self._scheme == "http"
        host = self.host
        if plain and not host.plain_http:
            host = HostConfig(host.host, plain_http=True)
        self.transport.connections.configure(origin, host)
        return Authorizer(self.domain, origin, self.credentials, self.transport.connections, self._offline)

    def _speaks(self, authorizer: Authorizer) -> bool:
        """Whether what listens there speaks this scheme; asked without credentials."""
        origin = authorizer.origin
        with self.transport.connections.ask(origin, "GET", "/v2/", {"User-Agent": "hardtack"}) as answer:
            if answer.status == 401:
                authorizer.learn(answer.headers.get_all("WWW-Authenticate") or [])
                return True
            # A TLS server tells a plain client so with 400, and a web server in front redirects.
            return answer.status != 400 and not (300 <= answer.status < 400)
