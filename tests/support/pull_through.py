"""A registry of ours that caches one that misbehaves when told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from hardtack.registry.access import Gate
from hardtack.registry.config.document import Config
from hardtack.registry.config.options import Secret
from hardtack.registry.config.server import ServerSection
from hardtack.registry.config.upstreams import NetworkSection, Upstream
from support.bad_registry import BadRegistry, Fault, Handler
from support.our_registry import Client
from support.registry_worker import Worker, registry_worker

LOOPBACK = ("127.0.0.0/8",)


class PullThrough(NamedTuple):
    """An upstream and the worker that caches it under `hub/`."""

    upstream: BadRegistry
    worker: Worker
    client: Client

    def fetched(self, part: str, method: str = "GET") -> int:
        """How often the upstream was asked for something."""
        return len(self.upstream.paths(method, part))


def upstream_of(registry: BadRegistry | str, **fields: Any) -> Upstream:
    """The configuration of an upstream under `hub/` that is asked for every tag every time."""
    url = registry if isinstance(registry, str) else registry.url
    values = {"prefix": "hub", "fresh": 0.0, "missing": 0.0, "visibility": "public", "timeout": 5.0, **fields}
    if "password" in values:
        values["password"] = Secret(values["password"])
    return Upstream(url=url, **values)


@contextmanager
def caching(
    root: Path,
    *upstreams: Upstream,
    gate: Gate | None = None,
    allow: tuple[str, ...] = LOOPBACK,
    read_only: bool = False,
    base: Config | None = None,
    **limits: Any,
) -> Iterator[Worker]:
    """A worker that caches upstreams.

    Args:
        base: what is configured besides.
    """
    base = replace(
        base or Config(), server=ServerSection(read_only=read_only), upstream=upstreams, network=NetworkSection(allow)
    )
    with registry_worker(root, gate, base=base, **limits) as worker:
        yield worker


@contextmanager
def pull_through(root: Path, **fields: Any) -> Iterator[PullThrough]:
    """An upstream and a worker that caches it. Costs 30 ms.

    Args:
        fields: of the upstream's configuration.
    """
    with BadRegistry() as upstream, caching(root, upstream_of(upstream, **fields)) as worker:
        yield PullThrough(upstream, worker, worker.client)


def drip(after: int, go_on: threading.Event) -> Fault:
    """Announce everything, send so many bytes, and the rest when told to."""

    def fault(handler: Handler) -> bool:
        data = handler.content() or b""
        handler.answer(200, data[:after], length=len(data))
        go_on.wait(20)
        handler.wfile.write(data[after:])
        return True

    return fault
