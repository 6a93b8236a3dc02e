"""How registries are reached on this host: mirrors, TLS, plain HTTP, patience. Read from two TOML files.

`/etc/hardtack/config.toml` speaks for the host and `~/.config/hardtack/config.toml` for the user, who wins key by key.
A table or key of ours that has no meaning is an error, so that a misspelt `insecure` does not go unnoticed; tables of
other parts of the product are theirs.

    [registry."docker.io"]
    mirrors = ["https://mirror.example", "localhost:5001/hub"]
    [registry."registry.lan:5000"]
    plain_http = true
    [transfer]
    threads = 4
"""

from __future__ import annotations

import os

from hardtack.remote.errors import ConfigInvalid
from hardtack.remote.retry import RetryPolicy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SYSTEM_FILE = "/etc/hardtack/config.toml"
_CERTIFICATES = "/etc/docker/certs.d"
_LARGEST = 1 << 20

_HOST_KEYS: dict[str, type] = {"mirrors": list, "insecure": bool, "plain_http": bool, "ca": str}
_TRANSFER_KEYS: dict[str, tuple[type, float, float]] = {  # key: type, least, most
    "threads": (int, 1, 64),
    "attempts": (int, 1, 100),
    "connect_timeout": (float, 0.1, 3600),
    "stall_timeout": (float, 0.1, 3600),
}


class HostConfig:
    """What is configured for one registry.

    Attributes:
        host: the registry as people write it.
        mirrors: other places to pull from, tried in order before the registry itself.
        insecure: any certificate will do, and plain HTTP when there is no TLS.
        plain_http: never TLS.
        ca: files of certificates to trust beside the system's.
        client: a certificate and key to show, as docker's certs.d has them.
    """

    __slots__ = ("ca", "client", "host", "insecure", "mirrors", "plain_http")

    def __init__(
        self,
        host: str,
        mirrors: tuple[str, ...] = (),
        insecure: bool = False,
        plain_http: bool = False,
        ca: tuple[str, ...] = (),
        client: tuple[str, str] | None = None,
    ) -> None:
        self.host = host
        self.mirrors = mirrors
        self.insecure = insecure
        self.plain_http = plain_http
        self.ca = ca
        self.client = client

    def schemes(self) -> tuple[str, ...]:
        """The schemes to try, in order.

        A registry on this machine is asked without TLS first: a plain request that a TLS server turns down costs
        nothing, while a TLS handshake to a plain server costs loading every certificate of the system. No
        credentials are sent before the scheme is settled. Elsewhere plain HTTP has to be configured.
        """
        if self.plain_http:
            return ("http",)
        if is_loopback(self.host):
            return ("http", "https")
        return ("https", "http") if self.insecure else ("https",)

    def allows_plain_credentials(self) -> bool:
        """Whether credentials may cross the wire to this host in clear."""
        return self.plain_http or self.insecure or is_loopback(self.host)


class RegistryConfig:
    """What is configured for all registries, and how patient to be with them.

    Attributes:
        threads: how many blobs move at once.
        connect_timeout: seconds for a connection to be made.
        stall_timeout: seconds without a single byte until a transfer counts as stalled.
        retry: when to try again.
    """

    __slots__ = ("_certificates", "_hosts", "connect_timeout", "retry", "stall_timeout", "threads")

    def __init__(
        self,
        hosts: dict[str, dict[str, Any]] | None = None,
        threads: int = 4,
        connect_timeout: float = 10.0,
        stall_timeout: float = 60.0,
        retry: RetryPolicy | None = None,
        certificates: str = _CERTIFICATES,
    ) -> None:
        self._hosts = hosts or {}
        self._certificates = certificates
        self.threads = threads
        self.connect_timeout = connect_timeout
        self.stall_timeout = stall_timeout
        self.retry = retry or RetryPolicy()

    @classmethod
    def load(cls, paths: tuple[str, ...] | None = None) -> RegistryConfig:
        """Read the configuration files, those that exist.

        Args:
            paths: instead of HARDTACK_CONFIG (one file), or of the system's and the user's file; later ones win.
        Raises:
            ConfigInvalid: a file is no TOML, or one of our keys has no meaning.
        """
        hosts: dict[str, dict[str, Any]] = {}
        transfer: dict[str, Any] = {}
        for path in _paths() if paths is None else paths:
            value = _read(path)
            for host, table in _table(path, value, "registry").items():
                hosts.setdefault(host, {}).update(_checked_host(path, host, table))
            transfer.update(_checked_transfer(path, _table(path, value, "transfer")))
        attempts = transfer.pop("attempts", None)
        return cls(hosts, retry=RetryPolicy(attempts) if attempts else None, **transfer)

    def allow_insecure(self, name: str) -> None:
        """Take any certificate of this registry, and plain HTTP, as `--insecure` asks for."""
        self._hosts.setdefault(name, {})["insecure"] = True

    def host(self, name: str) -> HostConfig:
        """What is configured for a registry; the defaults when nothing is."""
        table = self._hosts.get(name, {})
        folder = os.path.join(self._certificates, name)
        authorities = [table["ca"]] if table.get("ca") else []
        client = None
        for entry in _listing(folder):
            path = os.path.join(folder, entry)
            if entry.endswith(".crt"):
                authorities.append(path)
            elif entry.endswith(".cert") and os.path.exists(path[:-5] + ".key"):
                client = (path, path[:-5] + ".key")
        return HostConfig(
            name,
            tuple(table.get("mirrors", ())),
            table.get("insecure", False),
            table.get("plain_http", False),
            tuple(authorities),
            client,
        )


def is_loopback(host: str) -> bool:
    """Whether a host (with or without port) names this machine itself. Source: RFC 6761, 6.3; RFC 1122, 3.2.1.3."""
    name = split_port(host)[0].lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost") or name == "::1":
        return True
    parts = name.split(".")
    return len(parts) == 4 and parts[0] == "127" and all(part.isdigit() and int(part) < 256 for part in parts)


def split_port(host: str, default: int = 0) -> tuple[str, int]:
    """Split `name:port` or `[address]:port`; brackets are removed."""
    if host.startswith("["):
        name, _, port = host[1:].partition("]")
        port = port.removeprefix(":")
    else:
        name, colon, port = host.rpartition(":")
        if not colon or ":" in name:
            return host, default
    return name, int(port) if port.isdigit() else default


def _paths() -> tuple[str, ...]:
    chosen = os.environ.get("HARDTACK_CONFIG")
    if chosen is not None:
        return (chosen,) if chosen else ()
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return (_SYSTEM_FILE, os.path.join(home, "hardtack", "config.toml"))


def _listing(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigInvalid(path, (error.strerror or str(error)).lower()) from None
    if len(data) > _LARGEST:
        raise ConfigInvalid(path, "it is larger than 1 MiB")
    import tomllib

    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigInvalid(path, f"no TOML: {error}") from None


def _table(path: str, value: dict[str, Any], name: str) -> dict[str, Any]:
    table = value.get(name, {})
    if not isinstance(table, dict):
        raise ConfigInvalid(path, f"{name} must be a table")
    return table


def _checked_host(path: str, host: str, table: object) -> dict[str, Any]:
    where = f'[registry."{host}"]'
    if not isinstance(table, dict):
        raise ConfigInvalid(path, f"{where} must be a table")
    for key, value in table.items():
        kind = _HOST_KEYS.get(key)
        if kind is None:
            raise ConfigInvalid(path, f"{where} has no key {key}; it has {', '.join(sorted(_HOST_KEYS))}")
        if not isinstance(value, kind):
            raise ConfigInvalid(path, f"{key} of {where} must be a {kind.__name__}")
        if isinstance(value, list) and not all(isinstance(item, str) and item for item in value):
            raise ConfigInvalid(path, f"mirrors of {where} must be a list of names")
    return table


def _checked_transfer(path: str, table: dict[str, Any]) -> dict[str, Any]:
    for key, value in table.items():
        if key not in _TRANSFER_KEYS:
            raise ConfigInvalid(path, f"[transfer] has no key {key}; it has {', '.join(sorted(_TRANSFER_KEYS))}")
        kind, least, most = _TRANSFER_KEYS[key]
        fits = isinstance(value, (int, kind)) and not isinstance(value, bool)
        if not fits or not least <= value <= most:
            raise ConfigInvalid(path, f"{key} of [transfer] must be a number from {least:g} to {most:g}")
    return table
