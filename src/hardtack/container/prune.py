"""Removing every container that does not run, as `container prune` does. Their anonymous volumes stay, as in docker."""

from __future__ import annotations

from hardtack.container import states
from hardtack.container.errors import NoSuchContainer
from hardtack.container.listing import select
from hardtack.container.remove import remove
from hardtack.container.row import Paths
from hardtack.image.filters import has_labels, moment
from hardtack.store.disk import tree_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.container.listing import Filters
    from hardtack.container.row import Container
    from hardtack.store.root import Root

_STOPPED = (states.CREATED, states.EXITED, states.DEAD)


def prune(root: Root, filters: Filters | None = None) -> tuple[list[str], int]:
    """Remove the containers that do not run.

    Args:
        filters: `until` for those made before a moment or so long ago, `label` and `label!`.
    Returns:
        Their ids, and the bytes on disk that became free.
    Raises:
        FilterError: a moment that cannot be read.
    """
    filters = filters or {}
    removed, freed = [], 0
    for container in select(root, everything=True):
        if container.state not in _STOPPED or not _fits(container, filters):
            continue
        size = tree_size(Paths(root, container.id).durable)
        try:
            remove(root, container.id)
        except NoSuchContainer:  # somebody else was faster
            continue
        removed.append(container.id)
        freed += size
    return removed, freed


def _fits(container: Container, filters: Filters) -> bool:
    if any(container.created > moment(text) for text in filters.get("until", ())):
        return False
    labels = container.config.get("Labels") or {}
    return has_labels(filters, labels) and not any(
        has_labels({"label": [text]}, labels) for text in filters.get("label!", ())
    )
