"""Which page a path names. Pure.

Pages of the registry itself have fixed addresses; a repository's are its name, and below it `/-/`, which no name can
contain; an image's is the reference one would pull: `name:tag`, `name@digest`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hardtack.oci.digest import Digest
from hardtack.oci.errors import OciError
from hardtack.registry.names import is_repository, is_tag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hardtack.registry.web.page import Page

IMAGE, REPOSITORY = "image", ""
"""Keys of the repository's table that no path below `/-/` can be."""
_PARAMETER = re.compile(r"\{(\w+)\}")


class Addresses:
    """Pages by their addresses.

    Args:
        fixed: by path, in which `{word}` stands for one component.
        below: pages of a repository, by what follows after `/-/`; REPOSITORY is its own, IMAGE that of an image.
    """

    def __init__(self, fixed: Mapping[str, Page], below: Mapping[str, Page]) -> None:
        self.pages = {**fixed, **{f"/{{repository}}/-/{path}": page for path, page in below.items()}}
        self._fixed = [(_pattern(path), page) for path, page in fixed.items()]
        self._below = [(_pattern(path), page) for path, page in below.items() if path not in (IMAGE, REPOSITORY)]
        self._repository, self._image = below[REPOSITORY], below[IMAGE]

    def find(self, path: str) -> tuple[Page, dict[str, str]] | None:
        """The page of a decoded path, and what the path names; None when there is none."""
        if path.startswith("//"):
            return None  # a form on such a page would go to a host of that name
        if (found := _first(self._fixed, path.rstrip("/") or "/")) is not None:
            return found
        name, below, rest = path.strip("/").partition("/-/")
        if below:
            found = _first(self._below, rest)
            return (found[0], {**found[1], "repository": name}) if found is not None and is_repository(name) else None
        return self._reference(name)

    def _reference(self, text: str) -> tuple[Page, dict[str, str]] | None:
        name, at, digest = text.partition("@")
        name, colon, tag = name.partition(":") if not at else (name, "", "")
        if not is_repository(name) or (colon and not is_tag(tag)):
            return None
        if at and not is_digest(digest):
            return None
        if at or colon:
            return self._image, {"repository": name, "tag": tag, "reference": digest or tag}
        return self._repository, {"repository": name}


def is_digest(text: str) -> bool:
    """Whether text is a digest."""
    try:
        Digest(text)
    except OciError:
        return False
    return True


def number(text: str) -> int | None:
    """A number out of an address; None when it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None


def _first(table: list[tuple[re.Pattern[str], Page]], path: str) -> tuple[Page, dict[str, str]] | None:
    for pattern, page in table:
        match = pattern.fullmatch(path)
        if match is not None:
            return page, match.groupdict()
    return None


def _pattern(path: str) -> re.Pattern[str]:
    pieces = _PARAMETER.split(path)
    return re.compile(
        "".join(f"(?P<{piece}>[^/]+)" if number % 2 else re.escape(piece) for number, piece in enumerate(pieces))
    )
