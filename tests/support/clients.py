"""Clients of registries that do not wait long and know nothing of the machine they run on."""

from __future__ import annotations

from hardtack.remote.client import RegistryClient
from hardtack.remote.config import RegistryConfig
from hardtack.remote.credentials import Credential, Given
from hardtack.remote.proxy import Proxies
from hardtack.remote.repository import Repository
from hardtack.remote.retry import RetryPolicy
from hardtack.remote.transport import Transport
from support.bad_registry import BadRegistry


def quick_config(**fields: object) -> RegistryConfig:
    """Four attempts within a tenth of a second, stalls after half a second."""
    hosts = fields.pop("hosts", None)
    return RegistryConfig(
        hosts,  # type: ignore[arg-type]
        stall_timeout=0.5,
        connect_timeout=2.0,
        retry=RetryPolicy(attempts=4, base=0.01, patience=2.0),
        **fields,  # type: ignore[arg-type]
    )


def client_of(
    host: str, user: str = "", password: str = "", config: RegistryConfig | None = None, **more: str
) -> RegistryClient:
    """A client with these credentials and none of the machine's."""
    credential = Credential(user, password, **more)
    config = config or quick_config()
    return RegistryClient(host, config, Given(host, credential), transport=Transport(config, Proxies()))


def repository_of(registry: BadRegistry, path: str = "a/b", push: bool = False, **more: str) -> Repository:
    return client_of(registry.host, **more).repository(path, push)  # type: ignore[arg-type]
