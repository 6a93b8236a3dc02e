"""What a configuration says that only this machine can contradict: certificates, addresses, folders, extras.

Nothing is changed and nothing stays open. A registry that already listens there is no mistake of the file.
"""

from __future__ import annotations

import importlib.util
import os
import socket
from typing import TYPE_CHECKING

from hardtack.registry.config.document import Problem
from hardtack.registry.config.options import STDERR
from hardtack.registry.errors import CannotServe
from hardtack.registry.server.settings import listen_on
from hardtack.registry.server.stores import described
from hardtack.registry.server.tls import make_context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardtack.registry.config.document import Config
    from hardtack.registry.server.settings import Address


def check(config: Config) -> list[Problem]:
    """Everything that would keep a registry with this configuration from starting here."""
    return [*_addresses(config), *_certificates(config), *_paths(config), *_extras(config)]


def _addresses(config: Config) -> Iterator[Problem]:
    for text in config.server.listen:
        try:
            for address in listen_on((text,)):
                _bindable(address)
        except (CannotServe, OSError) as error:
            why = getattr(error, "strerror", None) or str(error)
            yield Problem("[server]", "listen", f"{text}: {why[:1].lower()}{why[1:]}")


def _bindable(address: Address) -> None:
    # Port 0: whether the address is ours, not whether its port is free, since the registry itself may be running.
    with socket.socket(address.family, socket.SOCK_STREAM) as probe:
        probe.bind((address.host, 0))
    if 0 < address.port < _privileged() and os.geteuid() != 0:
        with socket.socket(address.family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            try:
                probe.bind((address.host, address.port))
            except PermissionError:
                raise CannotServe(f"port {address.port} needs the right to bind ports below {_privileged()}") from None
            except OSError:
                return


def _privileged() -> int:
    try:
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 1024


def _certificates(config: Config) -> Iterator[Problem]:
    if config.tls.certificate:
        try:
            make_context(config.tls.certificate, config.tls.key)
        except CannotServe as error:
            yield Problem("[tls]", "", str(error))


def _paths(config: Config) -> Iterator[Problem]:
    if config.data.root and (why := _unwritable(config.data.root)):
        yield Problem("[data]", "root", why)
    log = config.server.access_log
    if log and log != STDERR:
        folder = os.path.dirname(log)
        if os.path.isdir(log) or not os.path.isdir(folder) or not os.access(folder, os.W_OK):
            yield Problem("[server]", "access_log", f"no file can be written at {log}")
    keys = config.access.token_keys
    if keys and not os.access(keys, os.R_OK):
        yield Problem("[access]", "token_keys", f"{keys} cannot be read")


def _unwritable(path: str) -> str:
    """Why a folder cannot be made or written to; "" when it can."""
    if os.path.exists(path) and not os.path.isdir(path):
        return f"{path} is no folder"
    while not os.path.exists(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return "" if os.access(path, os.W_OK | os.X_OK) else f"{path} cannot be written to"


def _extras(config: Config) -> Iterator[Problem]:
    wanted = (
        (config.metadata.url, "[metadata]", "url", "asyncpg", "postgres"),
        (config.blobs.s3, "[blobs]", "s3", "aiobotocore", "s3"),
        (config.oidc.issuer, "[oidc]", "issuer", "joserfc", "oidc"),
    )
    missing = [row for row in wanted if row[0] and importlib.util.find_spec(row[3]) is None]
    for _, section, key, module, extra in missing:
        yield Problem(section, key, f"needs the Python module {module}: install hardtack[{extra}]")
    if not missing:
        try:
            described(config)
        except CannotServe as error:
            yield Problem("[metadata] or [blobs]", "", str(error))
