"""Which upstream a repository comes from, and what it is called there. Pure.

A repository belongs to the upstream with the longest prefix that its name begins with. A mirror's clients name the
upstream in the query instead (`ns=docker.io`), and mean the same repository as those that write its prefix.

Source: containerd, docs/hosts.md ("ns" query parameter); docker, registry-mirrors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from hardtack.registry.access import READ, Grant
from hardtack.registry.errors import CannotServe
from hardtack.remote.origin import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hardtack.registry.config.upstreams import Upstream

_HUB = "registry-1.docker.io"
_HUB_NAMES = ("docker.io", "index.docker.io", "registry.hub.docker.com", "hub.docker.com")


class Remote(NamedTuple):
    """A repository of an upstream.

    Attributes:
        name: what it is called there.
    """

    upstream: Upstream
    name: str


def origin_of(upstream: Upstream) -> Origin:
    """Where the upstream's API is."""
    parts = urlsplit(upstream.url)
    origin = Origin.of(parts.scheme, parts.netloc)
    return Origin.of("https", _HUB) if origin.host in _HUB_NAMES else origin


class UpstreamTable:
    """The configured upstreams.

    Raises:
        CannotServe: two have the same prefix, or the same name for mirrors.
    """

    def __init__(self, upstreams: Iterable[Upstream]) -> None:
        self._by_prefix: dict[str, Upstream] = {}
        self._by_ns: dict[str, Upstream] = {}
        for upstream in upstreams:
            if upstream.prefix in self._by_prefix:
                raise CannotServe(f'two upstreams have the prefix "{upstream.prefix}"', "Give each one of its own")
            self._by_prefix[upstream.prefix] = upstream
            for name in _names(upstream):
                if self._by_ns.setdefault(name, upstream) is not upstream:
                    raise CannotServe(f"two upstreams are called {name}", "Give one of them another ns")
        self._longest_first = sorted(self._by_prefix.items(), key=lambda entry: -len(entry[0]))

    def named(self, repository: str, ns: str) -> str | None:
        """The name that a repository has here, not yet checked.

        Args:
            ns: the upstream that a mirror's client means, or "".
        Returns:
            None for an upstream that is none of ours.
        """
        if not ns:
            return repository
        upstream = self._by_ns.get(ns.lower())
        if upstream is None:
            return None
        if not upstream.prefix or repository.startswith(f"{upstream.prefix}/"):
            return repository
        return f"{upstream.prefix}/{repository}"

    def find(self, repository: str) -> Remote | None:
        """Where a repository is fetched from; None when it is our own."""
        for prefix, upstream in self._longest_first:
            if not prefix:
                return Remote(upstream, _there(upstream, repository))
            if repository.startswith(f"{prefix}/"):
                return Remote(upstream, _there(upstream, repository[len(prefix) + 1 :]))
        return None


def may_be_fetched(remote: Remote) -> bool:
    """Whether the configuration lets a repository be fetched."""
    return any(Grant(pattern, READ).covers(remote.name) for pattern in remote.upstream.repositories)


def _names(upstream: Upstream) -> tuple[str, ...]:
    if upstream.ns:
        return tuple(name.lower() for name in upstream.ns)
    origin = origin_of(upstream)
    return ("docker.io", _HUB) if origin.host == _HUB else (origin.authority,)


def _there(upstream: Upstream, name: str) -> str:
    # Docker Hub keeps the images that people write without a namespace in one of their own.
    return f"library/{name}" if "/" not in name and origin_of(upstream).host == _HUB else name
