"""The values that are told of repositories and namespaces; immutable. Times in seconds since 1970, sizes in bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from hardtack.registry.names import is_official


class Listed(NamedTuple):
    """A repository in a list or among the results of a search; `size` is what it would need alone."""

    name: str
    visibility: str
    summary: str
    tags: int
    pulls: int
    size: int
    created: float
    updated: float

    @property
    def official(self) -> bool:
        """Whether it is one of the registry's own."""
        return is_official(self.name)


class Details(NamedTuple):
    """Everything that is set for a repository, and its figures.

    `immutable` are patterns of tags, `retention` rules as JSON or "" for those of the configuration, `readme` Markdown
    that nobody has sanitised, `upstream` what it caches or "". `pulled` is when something was pulled last, 0.0 never.
    """

    name: str
    visibility: str
    summary: str
    readme: str
    immutable: tuple[str, ...]
    retention: str
    upstream: str
    tags: int
    manifests: int
    size: int
    pulls: int
    pulled: float
    created: float
    updated: float

    @property
    def official(self) -> bool:
        """Whether it is one of the registry's own."""
        return is_official(self.name)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is to be set for a repository; None leaves it as it is."""

    visibility: str | None = None
    summary: str | None = None
    readme: str | None = None
    immutable: tuple[str, ...] | None = None
    retention: str | None = None


class Namespace(NamedTuple):
    """The first component of names: what is set for it, and how much it uses.

    `quota` in bytes, None for none; `visibility` of new repositories, "" for the usual one.
    """

    name: str
    quota: int | None
    visibility: str
    used: int


class Pulled(NamedTuple):
    """How often something was pulled, and when last; 0.0 for never."""

    pulls: int
    latest: float


class Change(NamedTuple):
    """What became of a tag; an empty digest says that it was deleted."""

    id: int
    tag: str
    digest: str
    moment: float
    who: str


class Restored(NamedTuple):
    """What came back: manifests, the asked for one first, and the tags that point at one of them again."""

    digests: tuple[str, ...]
    tags: tuple[str, ...]


class Freed(NamedTuple):
    """What a removal takes away, and the bytes of blobs that nobody else needs, which is what it frees in the end."""

    tags: int
    manifests: int
    blobs: int
    size: int
