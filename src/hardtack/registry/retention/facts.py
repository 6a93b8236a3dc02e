"""What the rules of retention look at in a repository: its tags, its manifests, how they belong together, pulls."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hardtack.registry.metadata.script import first

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script


class TagFacts(NamedTuple):
    """A tag; `pulled` is when it or its manifest was pulled last, 0.0 for never."""

    name: str
    digest: str
    updated: float
    pulled: float


class ManifestFacts(NamedTuple):
    """A manifest; `subject` is what it refers to or "", `parents` the indexes of the repository that it is part of."""

    digest: str
    pushed: float
    pulled: float
    subject: str
    parents: tuple[str, ...]


class Facts(NamedTuple):
    """Everything about one repository."""

    repository: str
    immutable: tuple[str, ...]
    tags: tuple[TagFacts, ...]
    manifests: tuple[ManifestFacts, ...]


def gather(repository: str) -> Script[Facts | None]:
    """The facts of a repository; None when there is none of that name."""
    home = yield from first("SELECT id, immutable FROM repository WHERE name = ?", repository)
    if home is None:
        return None
    number, immutable = home
    rows = yield "SELECT subject, latest FROM pulled WHERE repository = ?", (number,)
    pulls: dict[str, float] = dict(rows)
    tags = yield "SELECT name, digest, updated FROM tag WHERE repository = ? ORDER BY name", (number,)
    manifests = yield (
        "SELECT digest, pushed, subject FROM manifest WHERE repository = ? ORDER BY digest",
        (number,),
    )
    edges = yield (
        "SELECT child, parent FROM edge WHERE repository = ? AND kind = 'manifest' ORDER BY child, parent",
        (number,),
    )
    parents: dict[str, list[str]] = {}
    for child, parent in edges:
        parents.setdefault(child, []).append(parent)
    return Facts(
        repository,
        tuple(filter(None, immutable.split("\n"))),
        tuple(
            TagFacts(name, digest, updated, max(pulls.get(name, 0.0), pulls.get(digest, 0.0)))
            for name, digest, updated in tags
        ),
        tuple(
            ManifestFacts(digest, pushed, pulls.get(digest, 0.0), subject, tuple(parents.get(digest, ())))
            for digest, pushed, subject in manifests
        ),
    )
