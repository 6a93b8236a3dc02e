"""Which resource a path under /v2/ names: a hand-written splitter, since a table of regular expressions costs more.

Read from the right, because repository names contain slashes and may contain the API's own words. Nothing here is
validated beyond the shape; the repository's name and the reference are checked by who uses them.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple
from urllib.parse import unquote


class Kind(Enum):
    """The nouns of the API."""

    BASE = "base"
    CATALOG = "catalog"
    TAGS = "tags"
    MANIFEST = "manifest"
    BLOB = "blob"
    UPLOADS = "uploads"
    UPLOAD = "upload"
    REFERRERS = "referrers"


class Target(NamedTuple):
    """What a path names; repository and reference are empty where the kind has none."""

    kind: Kind
    repository: str = ""
    reference: str = ""


def split(path: str) -> Target | None:
    """Read a path without its query.

    Returns:
        The target, or None when the API has no such address.
    """
    if "%" in path:
        path = unquote(path, errors="replace")
    if path in ("/v2/", "/v2"):
        return Target(Kind.BASE)
    if not path.startswith("/v2/"):
        return None
    rest = path[4:]
    if rest == "_catalog":
        return Target(Kind.CATALOG)
    head, slash, last = rest.rpartition("/")
    if not slash:
        return None
    return _named(head, last)


def _named(head: str, last: str) -> Target | None:
    repository, _, noun = head.rpartition("/")
    if noun == "manifests":
        return Target(Kind.MANIFEST, repository, last) if last else None
    if noun == "blobs":
        if last == "uploads":
            return Target(Kind.UPLOADS, repository)
        return Target(Kind.BLOB, repository, last) if last else None
    if noun == "referrers":
        return Target(Kind.REFERRERS, repository, last) if last else None
    if noun == "tags" and last == "list":
        return Target(Kind.TAGS, repository)
    if head.endswith("/blobs/uploads"):
        repository = head[: -len("/blobs/uploads")]
        return Target(Kind.UPLOAD, repository, last) if last else Target(Kind.UPLOADS, repository)
    return None
