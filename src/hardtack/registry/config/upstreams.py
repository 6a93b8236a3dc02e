"""[[upstream]] and [network]: registries whose images are fetched and kept here, and whom the registry may call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hardtack.registry.access import Visibility
from hardtack.registry.config.options import (
    NO_SECRET,
    PATH,
    SECRET,
    TEXT,
    TEXTS,
    URL,
    Kind,
    choice,
    duration,
    option,
)
from hardtack.registry.errors import NameInvalid
from hardtack.registry.names import check_repository
from hardtack.registry.net.filter import read_entry
from hardtack.remote.origin import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HUB = "registry-1.docker.io"
_HUB_NAMES = ("docker.io", "index.docker.io", "registry.hub.docker.com", "hub.docker.com")


def _places(value: object) -> tuple[str, ...]:
    entries = TEXTS.read(value)
    for entry in entries:
        read_entry(entry)  # raises ValueError
    return entries


PLACES: Kind[tuple[str, ...]] = Kind("list of networks and hosts", _places, TEXTS.write)


@dataclass(frozen=True, slots=True)
class Upstream:
    """A registry whose images are fetched, kept and served by this one."""

    prefix: str = option(
        TEXT,
        "",
        "Beginning of the names under which its repositories appear here; empty for every name, as a mirror has it",
        sample='"hub"',
    )
    url: str = option(URL, "", "Its address", sample='"https://registry-1.docker.io"', required=True)
    ns: tuple[str, ...] = option(
        TEXTS,
        (),
        "What clients that use this one as a mirror call it (`ns=`); empty for the address's host",
        sample='["docker.io"]',
    )
    username: str = option(TEXT, "", "Account there, when images need one")
    password: str = option(SECRET, NO_SECRET, "Its password or token")
    ca: str = option(PATH, "", "PEM file of certificates to trust there, beside the system's")
    repositories: tuple[str, ...] = option(TEXTS, ("**",), "Patterns of the repositories there that may be fetched")
    visibility: str = option(
        choice(*Visibility), str(Visibility.PRIVATE), "Who may pull what was not granted to them; for new repositories"
    )
    fresh: float = option(duration(), 60.0, "How long a tag is served without asking again")
    immutable: tuple[str, ...] = option(
        TEXTS, (), "Patterns of tags that never change there, and are not asked for again", sample='["v*.*.*"]'
    )
    missing: float = option(duration(), 60.0, "How long it is remembered that something is not there")
    timeout: float = option(duration(0.1, 300), 15.0, "How long it may take to answer")
    stall: float = option(duration(0.1, 3600), 60.0, "How long it may send nothing in the middle of an answer")

    def problems(self) -> Iterator[tuple[str, str]]:
        """What does not fit together, by key."""
        if bool(self.username) != bool(self.password):
            yield ("password" if self.username else "username"), "is needed as well"
        if urlsplit(self.url).path:
            yield "url", "must end after the host and the port: what follows belongs to the names of repositories"
        if self.prefix:
            try:
                check_repository(self.prefix)
            except NameInvalid as error:
                yield "prefix", str(error)
        if any(not pattern for pattern in (*self.repositories, *self.immutable, *self.ns)):
            yield "repositories", "and immutable and ns must not hold empty text"

    @classmethod
    def problems_together(cls, upstreams: Sequence[Upstream]) -> Iterator[tuple[int, str, str]]:
        """What does not fit together in several: the place of the later one, the key, and why."""
        prefixes: set[str] = set()
        names: set[str] = set()
        for place, upstream in enumerate(upstreams):
            if upstream.prefix in prefixes:
                yield place, "prefix", f'"{upstream.prefix}" is that of another upstream'
            for name in names.intersection(upstream.names):
                yield place, "ns", f"another upstream is called {name}, too"
            prefixes.add(upstream.prefix)
            names.update(upstream.names)

    @property
    def origin(self) -> Origin:
        """Where its API is."""
        parts = urlsplit(self.url)
        origin = Origin.of(parts.scheme, parts.netloc)
        return Origin.of("https", _HUB) if origin.host in _HUB_NAMES else origin

    @property
    def is_docker_hub(self) -> bool:
        """Whether it is the registry that has names of its own for images without a namespace."""
        return self.origin.host == _HUB

    @property
    def names(self) -> tuple[str, ...]:
        """What a mirror's clients call it, in lower case."""
        if self.ns:
            return tuple(name.lower() for name in self.ns)
        return ("docker.io", _HUB) if self.is_docker_hub else (self.origin.authority,)


@dataclass(frozen=True, slots=True)
class NetworkSection:
    """Which addresses the registry may call by itself: upstreams, webhooks."""

    allow: tuple[str, ...] = option(
        PLACES,
        (),
        "Private and local networks, addresses and hosts that may be called; all others of these are refused",
        sample='["10.1.0.0/16", "registry.internal"]',
    )
