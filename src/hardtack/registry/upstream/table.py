"""Which upstream a repository comes from, and what it is called there. Pure.

A repository belongs to the upstream with the longest prefix that its name begins with. A mirror's clients name the
upstream in the query instead (`ns=docker.io`), and mean the same repository as those that write its prefix.

Source: containerd, docs/hosts.md ("ns" query parameter); docker, registry-mirrors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hardtack.registry.access import READ, Grant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hardtack.registry.config.upstreams import Upstream


class Remote(NamedTuple):
    """A repository of an upstream.

    Attributes:
        name: what it is called there.
    """

    upstream: Upstream
    name: str


class UpstreamTable:
    """The configured upstreams, which have different prefixes and names."""

    def __init__(self, upstreams: Iterable[Upstream]) -> None:
        self._longest_first = sorted(upstreams, key=lambda upstream: -len(upstream.prefix))
        self._by_ns = {name: upstream for upstream in self._longest_first for name in upstream.names}

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
        for upstream in self._longest_first:
            before = f"{upstream.prefix}/" if upstream.prefix else ""
            if repository.startswith(before):
                return Remote(upstream, _there(upstream, repository[len(before) :]))
        return None


def may_be_fetched(remote: Remote) -> bool:
    """Whether the configuration lets a repository be fetched."""
    return any(Grant(pattern, READ).covers(remote.name) for pattern in remote.upstream.repositories)


def _there(upstream: Upstream, name: str) -> str:
    # Docker Hub keeps the images that people write without a namespace in one of their own.
    return f"library/{name}" if "/" not in name and upstream.is_docker_hub else name
