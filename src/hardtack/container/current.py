"""The container that a person means, as it is now: settled first when the process that held it has died."""

from __future__ import annotations

from hardtack.container import states
from hardtack.container.row import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.container.row import Container
    from hardtack.container.runtime import Runtime
    from hardtack.store.root import Root


def current(root: Root, text: str) -> Container:
    """Find a container.

    Raises:
        NoSuchContainer, AmbiguousContainer.
    """
    found = find(root, text)
    if (found.state in states.ALIVE or found.monitor) and not found.claimed():
        from hardtack.container.reconcile import settle

        settle(root, found)
        found = find(root, found.id)
    return found


def runtime_of(root: Root, container: Container) -> Runtime:
    """The OCI runtime that a container was started with, which alone knows it."""
    from hardtack.container.runtime import choose

    return choose(root, container.runtime)
