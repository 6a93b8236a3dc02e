"""The values that metadata are handed in and out as; immutable, the same for every implementation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from hardtack.oci.digest import Digest

LATEST = 1 << 62
"""A number after those of all entries: a list that begins before it begins with the latest."""


class StoredManifest(NamedTuple):
    """A manifest as it was pushed, and who may see its repository without having been granted it."""

    digest: str
    media_type: str
    raw: bytes
    visibility: str


class Tag(NamedTuple):
    """A name for a manifest; times in seconds since 1970."""

    name: str
    digest: str
    media_type: str
    size: int
    created: float
    updated: float
    updated_by: str


class TagEvent(NamedTuple):
    """What a tag pointed to from a moment on; an empty digest says that it was deleted."""

    name: str
    digest: str
    moment: float
    who: str


class Referrer(NamedTuple):
    """A manifest whose subject is another one; annotations as JSON text."""

    digest: str
    media_type: str
    size: int
    artifact_type: str
    annotations: str


class Upload(NamedTuple):
    """A session in which one caller pushes one blob into one repository.

    `digest` is what it claims to hold or, when finished, what it became.
    """

    id: str
    repository: str
    who: str
    started: float
    touched: float
    digest: str
    finished: bool


class Totals(NamedTuple):
    """What the whole registry holds; `size` in bytes of blobs, each counted once."""

    repositories: int
    tags: int
    blobs: int
    size: int


@dataclass(frozen=True, slots=True)
class Child:
    """Something a manifest points at.

    Attributes:
        kind: `config`, `layer` or `manifest`.
        required: the manifest is refused when the repository does not hold it.
    """

    digest: Digest
    kind: str
    required: bool


@dataclass(frozen=True, slots=True)
class NewManifest:
    """A parsed manifest on its way in.

    Attributes:
        subject: digest of what it refers to, or "".
        annotations: JSON text, kept for the list of referrers; "" without a subject.
    """

    digest: Digest
    media_type: str
    raw: bytes
    artifact_type: str = ""
    subject: str = ""
    annotations: str = ""
    children: tuple[Child, ...] = ()
