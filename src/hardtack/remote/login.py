"""Logging in: credentials are tried out at the registry first, and kept only if it accepts them."""

from __future__ import annotations

from hardtack.errors import TackError
from hardtack.oci.reference import DEFAULT_DOMAIN, is_domain
from hardtack.remote.client import RegistryClient
from hardtack.remote.credentials import Credential, Credentials, Given

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.remote.config import RegistryConfig

_HUB_NAMES = ("", "docker.io", "index.docker.io", "registry-1.docker.io", "hub.docker.com")


class LoginFailed(TackError):
    """A login that did not end well; `cause` says why."""

    def __init__(self, host: str, cause: TackError) -> None:
        super().__init__(f"cannot log in to {host}: {cause.message}", cause.hint)
        self.host = host
        self.cause = cause


class NoRegistry(TackError):
    """Text that names no registry."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} names no registry", "Give its host, with a port if it has its own: registry.lan:5000"
        )
        self.text = text


def registry_of(text: str) -> str:
    """The registry that somebody means by a host or a URL; Docker Hub when they say nothing.

    Raises:
        NoRegistry: no host by the grammar.
    """
    host = text.split("://", 1)[-1].split("/", 1)[0]
    if host in _HUB_NAMES:
        return DEFAULT_DOMAIN
    if not is_domain(host):
        raise NoRegistry(text)
    return host


def login(
    host: str, credential: Credential, store: Credentials | None = None, config: RegistryConfig | None = None
) -> str:
    """Try a credential out and keep it.

    Args:
        store: the credentials file; the user's when not given.
    Returns:
        Where it is kept: a credential helper's program, or the path of the file.
    Raises:
        LoginFailed: the registry does not accept it, or is not to be reached; nothing was kept.
    """
    store = store or Credentials()
    try:
        client = RegistryClient(host, config, Given(host, credential), offline=True)
        client.ping()
        identity = client.authorizer.identity
        if identity:  # a refresh token is kept in place of the password
            credential = Credential(credential.username, "", identity)
        return store.store(host, credential)
    except TackError as error:
        raise LoginFailed(host, error) from error
