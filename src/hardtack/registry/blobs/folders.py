"""What a storage of files does with whole folders: finding what is old, listing, moving aside, emptying. Blocking."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING

from hardtack.registry.names import is_upload
from hardtack.store.disk import sync_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardtack.oci.digest import Digest
    from hardtack.store.blob import BlobStore

_LISTED = 1000


def older(folder: str, before: float) -> list[str]:
    """Uploads that nothing was written to since a moment."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                if is_upload(entry.name) and entry.stat(follow_symlinks=False).st_mtime < before:
                    found.append(entry.name)
            except FileNotFoundError:
                continue
    return found


def moved(path: str, folder: str, name: str) -> bool:
    """Move a file into a folder, which is made when it is not there; durable. Returns whether there was a file."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    try:
        os.rename(path, f"{folder}/{name}")
    except FileNotFoundError:
        return False
    sync_path(folder)
    sync_path(os.path.dirname(path))
    return True


def names(folder: str) -> list[str]:
    """What is in a folder, if it is there."""
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


def sizes(store: BlobStore, digests: Iterator[Digest]) -> list[tuple[Digest, int | None]]:
    """The next thousand blobs; a size is None when the blob was removed meanwhile."""
    return [(digest, store.size(digest)) for digest in islice(digests, _LISTED)]


def empty(folder: str) -> None:
    """Remove the files of a folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                os.unlink(entry.path)
            except FileNotFoundError:
                continue
