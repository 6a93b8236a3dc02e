"""[server], [tls] and [data]: where the registry listens, how it runs, where its files are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardtack.registry.config.options import (
    FLAG,
    NETWORKS,
    NO_SECRET,
    PATH,
    SECRET,
    TEXTS,
    URL,
    Network,
    choice,
    duration,
    option,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class ServerSection:
    """Where and how the registry serves."""

    listen: tuple[str, ...] = option(
        TEXTS,
        ("127.0.0.1:5000",),
        "Addresses to listen on: HOST:PORT, [IPv6]:PORT, or :PORT for every address; a change needs a restart",
    )
    url: str = option(
        URL,
        "",
        "The address that clients use, when it is not the one that they call: behind a proxy or a load balancer",
        sample='"https://registry.example.org"',
    )
    workers: int = option(whole(0, 256), 0, "Processes that serve; 0 for one per processor, up to eight")
    read_only: bool = option(FLAG, False, "Refuse every change; pulls go on")
    drain: float = option(
        duration(0, 3600),
        0.0,
        "After SIGTERM: how long to serve on while /readyz already says no, so that load balancers notice",
    )
    log_level: str = option(choice(*LEVELS), "warning", "What to log")
    log_format: str = option(choice("text", "json"), "text", "How a line of the log looks")
    access_log: str = option(
        PATH,
        "",
        'Where a line of JSON for every request goes: "stderr", or a file, which SIGHUP opens anew; empty for nowhere',
    )
    trusted_proxies: tuple[Network, ...] = option(
        NETWORKS,
        (),
        "Whose X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host and X-Request-Id are believed",
        sample='["10.0.0.0/8"]',
    )
    metrics_token: str = option(
        SECRET,
        NO_SECRET,
        "What has to be sent to /metrics as `Authorization: Bearer …`; without it this machine and admins may",
    )


@dataclass(frozen=True, slots=True)
class TlsSection:
    """HTTPS, when both are given. The files are read again when they change."""

    certificate: str = option(
        PATH, "", "PEM file of the certificate, followed by those of its issuers", sample='"/etc/hardtack/tls.crt"'
    )
    key: str = option(PATH, "", "PEM file of its private key, without a passphrase", sample='"/etc/hardtack/tls.key"')

    def problems(self) -> Iterator[tuple[str, str]]:
        """What does not fit together, by key."""
        if bool(self.certificate) != bool(self.key):
            yield ("key" if self.certificate else "certificate"), "is needed as well: one without the other is no use"


@dataclass(frozen=True, slots=True)
class DataSection:
    """Files of this machine."""

    root: str = option(
        PATH,
        "",
        "Folder of the registry's data; empty for registry/ in tack's own root; a change needs a restart",
        sample='"/var/lib/hardtack-registry"',
    )
