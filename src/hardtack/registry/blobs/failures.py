"""What an error of the file system means to a client."""

from __future__ import annotations

from hardtack.registry.errors import RegistryError, StorageBroken, StorageFull
from hardtack.store.disk import is_full


def failure(error: OSError) -> RegistryError:
    """What an error of the file system means to a caller."""
    return StorageFull() if is_full(error) else StorageBroken((error.strerror or str(error)).lower())
