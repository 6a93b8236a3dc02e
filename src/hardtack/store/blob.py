"""Blobs as files: `blobs/<algorithm>/<two digits>/<hex>`, immutable, visible only when whole, verified and on disk.

This folder of files knows of no database, so that the registry can use it too. Who needs which blob is decided by
its callers; how bytes come in is `ingest`'s business.
"""

from __future__ import annotations

import os

from hardtack.oci.digest import LENGTHS, Digest
from hardtack.store.disk import sync_path
from hardtack.store.errors import BlobTooLarge, BlobUnknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from hardtack.store.ingest import Ingest


class BlobStore:
    """The blob files below one directory.

    Args:
        path: the directory that holds, or gets, `blobs/` and `ingest/`.
    """

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def path_of(self, digest: str) -> str:
        """Where the blob lies, whether it is there or not."""
        digest = Digest(digest)
        digits = digest.hex
        return f"{self.path}/blobs/{digest.algorithm}/{digits[:2]}/{digits}"

    def size(self, digest: str) -> int | None:
        """The length in bytes, None when the blob is not held."""
        try:
            return os.stat(self.path_of(digest)).st_size
        except FileNotFoundError:
            return None

    def open(self, digest: str) -> BinaryIO:
        """The blob as a file, from its first byte.

        Raises:
            BlobUnknown: it is not held.
        """
        try:
            return open(self.path_of(digest), "rb", buffering=0)
        except FileNotFoundError:
            raise BlobUnknown(digest) from None

    def read(self, digest: str, limit: int) -> bytes:
        """All bytes of a small blob.

        Raises:
            BlobUnknown: it is not held.
            BlobTooLarge: it has more than `limit` bytes.
        """
        try:
            descriptor = os.open(self.path_of(digest), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise BlobUnknown(digest) from None
        try:
            size = os.fstat(descriptor).st_size
            if size > limit:
                raise BlobTooLarge(digest, size, limit)
            data = os.read(descriptor, size)
            while len(data) < size and (more := os.read(descriptor, size - len(data))):
                data += more
        finally:
            os.close(descriptor)
        return data

    def ingest(self, digest: str, size: int | None = None, wait: bool = True) -> Ingest:
        """Take in a blob of this digest; see `Ingest`.

        Args:
            size: its announced length, verified when it is given.
            wait: wait while somebody else takes in the same one; otherwise `IngestBusy` is raised.
        """
        from hardtack.store.ingest import Ingest

        return Ingest(self, Digest(digest), size, wait)

    def publish(self, source: str, digest: str) -> None:
        """Make a file the blob of that digest: one rename on the same file system, on disk when it returns.

        Args:
            source: a file whose bytes were verified and fsynced by the caller.
        """
        target = self.path_of(digest)
        shard = os.path.dirname(target)
        try:
            os.rename(source, target)
        except FileNotFoundError:
            self._make_shard(shard)
            os.rename(source, target)
        sync_path(shard)

    def remove(self, digest: str) -> bool:
        """Unlink a blob. Returns whether it was there."""
        try:
            os.unlink(self.path_of(digest))
        except FileNotFoundError:
            return False
        return True

    def __iter__(self) -> Iterator[Digest]:
        """Every digest that has a file, in the order of the directories."""
        for algorithm in sorted(LENGTHS):
            base = f"{self.path}/blobs/{algorithm}"
            for shard in _names(base):
                for name in _names(f"{base}/{shard}"):
                    if name[:2] == shard and len(name) == LENGTHS[algorithm]:
                        yield Digest(f"{algorithm}:{name}")

    def _make_shard(self, shard: str) -> None:
        if os.path.isdir(shard):
            return
        algorithm = os.path.dirname(shard)
        os.makedirs(algorithm, mode=0o700, exist_ok=True)
        try:
            os.mkdir(shard, 0o700)
        except FileExistsError:
            return
        for above in (algorithm, os.path.dirname(algorithm), self.path):  # each may be as new as the shard
            sync_path(above)


def _names(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return []
