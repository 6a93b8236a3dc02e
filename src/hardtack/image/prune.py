"""Removing images that nothing needs: nameless ones, or all that no container was made from, by age or by last use."""

from __future__ import annotations

from hardtack.image.catalog import entry_of
from hardtack.image.filters import has_labels, moment
from hardtack.image.listing import listed
from hardtack.image.remove import Removed, gone_chains
from hardtack.store.collect import collect
from hardtack.store.holders import containers_using, images_in_use
from hardtack.store.reference import remove_image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hardtack.image.filters import Filters
    from hardtack.image.listing import Listed
    from hardtack.oci.digest import Digest
    from hardtack.store.root import Root

KNOWN_FILTERS = ("label", "label!", "until", "unused-since")


class Pruned:
    """What a pruning did.

    Attributes:
        images: one for each that went.
        freed: bytes on disk, of everything that the collection after it removed.
    """

    __slots__ = ("freed", "images")

    def __init__(self) -> None:
        self.images: list[Removed] = []
        self.freed = 0

    def lines(self) -> list[str]:
        """As docker prints it."""
        found = []
        for image in self.images:
            found += [f"untagged: {name}" for name in image.untagged]
            found += [f"deleted: {name}" for name in image.deleted]
        return list(dict.fromkeys(found))  # a layer of several images went once


def prune(root: Root, everything: bool = False, filters: Filters | None = None) -> Pruned:
    """Remove images and collect what that frees.

    Args:
        everything: all that no container was made from; otherwise only those without a name.
        filters: `until` (made before), `unused-since` (not pulled, tagged or run since), `label`, `label!`.
    Raises:
        FilterError: a value that means nothing.
    """
    chosen = choose(listed(root), images_in_use(root.db), everything, filters or {})
    done = Pruned()
    pending: list[tuple[Removed, Sequence[Digest]]] = []
    for item in chosen:
        removed = _remove(root, item, everything)
        if removed is not None:
            done.images.append(removed)
            pending.append((removed, item.config.diff_ids if item.config else ()))
    report = collect(root)
    done.freed = report.freed
    for removed, diff_ids in pending:
        removed.deleted += gone_chains(diff_ids, report)
    return done


def choose(found: Sequence[Listed], used: set[str], everything: bool, filters: Filters) -> list[Listed]:
    """Decide which images go. Pure.

    Args:
        used: ids and manifest digests of images that containers were made from.
    """
    made = min((moment(text) for text in filters.get("until", ())), default=None)
    touched = min((moment(text) for text in filters.get("unused-since", ())), default=None)
    without = {"label": filters.get("label!", ())}
    return [
        item
        for item in found
        if (everything or item.entry.dangling)
        and item.entry.id not in used
        and not any(row.digest in used for row in item.entry.rows)
        and (made is None or item.created < made)
        and (touched is None or item.entry.used < touched)
        and has_labels(filters, item.labels)
        and not (without["label"] and has_labels(without, item.labels))
    ]


def _remove(root: Root, item: Listed, everything: bool) -> Removed | None:
    """Remove one image, unless it got a name or a container since it was chosen."""
    with root.transaction(durable=True) as db:
        entry = entry_of(db, item.entry.id)
        if entry is None or containers_using(db, entry.digest, entry.id):
            return None
        if not everything and not entry.dangling:
            return None
        for row in entry.rows:
            remove_image(db, row.digest)
    removed = Removed()
    removed.untagged = entry.tags + entry.digests
    removed.deleted = [entry.id]
    return removed
