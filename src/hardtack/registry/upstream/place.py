"""A repository of an upstream, as one request means it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hardtack.registry.config.upstreams import Upstream
    from hardtack.registry.upstream.client import Client


class Place(NamedTuple):
    """Where something is kept here, and where it comes from.

    Attributes:
        repository: its name here.
        name: its name there.
    """

    repository: str
    name: str
    upstream: Upstream
    client: Client
