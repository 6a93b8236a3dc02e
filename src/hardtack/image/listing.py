"""Lists of images: docker's summary of each, and the filters that choose among them."""

from __future__ import annotations

from hardtack.errors import TackError
from hardtack.image.catalog import entries, entry_of
from hardtack.image.filters import has_labels, moment, truth
from hardtack.image.globs import path_matches
from hardtack.image.sizes import layer_sizes, shared_size
from hardtack.oci.moment import parse_time
from hardtack.store.content import Content
from hardtack.store.errors import ImageUnknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from hardtack.image.catalog import Entry
    from hardtack.image.filters import Filters
    from hardtack.oci.config import ImageConfig
    from hardtack.oci.reference import Reference
    from hardtack.store.root import Root

KNOWN_FILTERS = ("before", "dangling", "label", "reference", "since", "until")


class Listed:
    """An image with its config read.

    Attributes:
        entry: its names and rows.
        config: None when it was lost.
        created: when it was made, by its config; when it came here, where that says nothing. Seconds since 1970.
    """

    __slots__ = ("config", "created", "entry")

    def __init__(self, entry: Entry, config: ImageConfig | None) -> None:
        self.entry = entry
        self.config = config
        self.created = created_at(config, entry)

    @property
    def labels(self) -> dict[str, str]:
        """The image's labels."""
        return (self.config.config.get("Labels") or {}) if self.config else {}


def listed(root: Root, filters: Filters | None = None) -> list[Listed]:
    """The images that fit every filter, the youngest first.

    Args:
        filters: values by key; keys of KNOWN_FILTERS.
    Raises:
        FilterError: a value that means nothing.
        ImageUnknown: `before` or `since` name no image.
    """
    filters = filters or {}
    found = [_read(root, entry) for entry in entries(root.db)]
    dangling = truth(filters, "dangling")
    if dangling is not None:
        found = [item for item in found if item.entry.dangling == dangling]
    if filters.get("label"):
        found = [item for item in found if has_labels(filters, item.labels)]
    for key, sign in (("before", -1), ("since", 1)):
        for text in filters.get(key, ()):
            border = _named(root, text).created
            found = [item for item in found if (item.created - border) * sign > 0]
    for text in filters.get("until", ()):
        border = moment(text)
        found = [item for item in found if item.created < border]
    if filters.get("reference"):
        found = [item for item in (_only(item, filters["reference"]) for item in found) if item.entry.references]
    found.sort(key=lambda item: (-item.created, item.entry.id))
    return found


def summaries(root: Root, filters: Filters | None = None, shared: bool = False) -> list[dict[str, Any]]:
    """Docker's ImageSummary of each image, as its API lists them.

    Args:
        shared: compute SharedSize and Containers too, which are -1 otherwise.
    """
    found = listed(root, filters)
    sizes = layer_sizes(root.db)
    uses: dict[str, int] = {}
    users: dict[str, int] = {}
    if shared:
        for item in listed(root):
            for diff_id in set(item.config.diff_ids if item.config else ()):
                uses[diff_id] = uses.get(diff_id, 0) + 1
        users = dict(root.db.execute("SELECT image_id, count(*) FROM container GROUP BY image_id").fetchall())
    return [_summary(item, sizes, uses if shared else None, users) for item in found]


def _summary(item: Listed, sizes: dict[str, int], uses: dict[str, int] | None, users: dict[str, int]) -> dict[str, Any]:
    diff_ids = set(item.config.diff_ids) if item.config else set()
    return {
        "Id": item.entry.id,
        "ParentId": "",
        "RepoTags": item.entry.tags,
        "RepoDigests": item.entry.digests,
        "Created": int(item.created),
        "Size": sum(sizes.get(diff_id, 0) for diff_id in diff_ids),
        "SharedSize": -1 if uses is None else shared_size(sizes, diff_ids, uses),
        "Labels": dict(item.labels) or None,
        "Containers": -1 if uses is None else users.get(item.entry.id, 0),
    }


def created_at(config: ImageConfig | None, entry: Entry) -> float:
    """When an image was made, seconds since 1970."""
    if config is not None and config.created:
        try:
            return parse_time(config.created)
        except ValueError:
            pass
    return min(row.created for row in entry.rows)


def _read(root: Root, entry: Entry) -> Listed:
    try:
        return Listed(entry, Content(root).config(entry.id))
    except TackError:  # lost or damaged: still listed, so that it can be removed
        return Listed(entry, None)


def _named(root: Root, text: str) -> Listed:
    entry = entry_of(root.db, text)
    if entry is None:
        raise ImageUnknown(text)
    return _read(root, entry)


def _only(item: Listed, patterns: Sequence[str]) -> Listed:
    """The image with those of its names that fit a pattern."""
    item.entry.references = [
        (name, digest) for name, digest in item.entry.references if any(matches(name, text) for text in patterns)
    ]
    return item


def matches(name: Reference, pattern: str) -> bool:
    """Whether a name fits a pattern of `reference=`: of its short form, with or without the tag.

    Raises:
        FilterError: a pattern that cannot be read.

    Source: distribution/reference, FamiliarMatch; Go, path.Match.
    """
    return path_matches(pattern, name.familiar()) or path_matches(pattern, name.familiar_repository())
