"""Taking in one blob: bytes are appended to `ingest/<algorithm>-<hex>`, verified, and only then renamed into place.

A death at any instruction leaves either the whole blob or none; what had arrived stays and is continued, after its
bytes were hashed again. The partial file carries a lock, which goes with it to its final place: whoever wants the same
blob waits, and a collector leaves alone what is still locked.
"""

from __future__ import annotations

import fcntl
import os

from hardtack.oci.digest import Digest, hasher
from hardtack.store.disk import is_full
from hardtack.store.errors import DigestMismatch, IngestBusy, SizeMismatch, StoreError, StoreFull

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardtack.store.blob import BlobStore

_CHUNK = 1 << 20


class Ingest:
    """A with-block that holds the right to write one blob.

    Enter it, look at `present`, go on from `offset`, `write`, `commit`. Register the blob's row before leaving, so that
    no collection comes between. Leaving without `commit` keeps the partial file for the next attempt.

    Attributes:
        digest: what the bytes have to be.
        size: their announced length, or None.
        present: the blob was there already, or somebody else finished it while we waited; nothing is to be written.
        offset: how many bytes are held.
    """

    def __init__(self, store: BlobStore, digest: Digest, size: int | None, wait: bool = True) -> None:
        self.digest = digest
        self.size = size
        self.present = False
        self.offset = 0
        self._store = store
        self._wait = wait
        self._path = f"{store.path}/ingest/{digest.algorithm}-{digest.hex}"
        self._descriptor = -1
        self._hash = hasher(digest.algorithm)
        self._hashed = 0
        self._resumed = False

    def __enter__(self) -> Ingest:
        try:
            while not (self._is_there() or self._lock()):
                pass
        except OSError as error:
            raise self._failure(error) from error
        return self

    def __exit__(self, *_: object) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        try:
            if not self.present and not self.offset:
                os.unlink(self._path)
        except FileNotFoundError:
            pass
        finally:
            os.close(descriptor)

    def replay(self) -> Iterator[bytes]:
        """The bytes already held, from the first one, for whoever has to see all of them."""
        position = 0
        while position < self.offset:
            chunk = self._read(position)
            yield chunk
            position += len(chunk)

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append bytes.

        Raises:
            StoreFull: no space; the partial file is gone, and its space free again.
            SizeMismatch: more than announced; the partial file is gone.
        """
        self._catch_up()
        if self.size is not None and self.offset + len(chunk) > self.size:
            self.discard()
            raise SizeMismatch(self.digest, self.size, self.offset + len(chunk))
        self._hash.update(chunk)
        rest = memoryview(chunk)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            self.discard()
            raise self._failure(error) from error
        self.offset += len(chunk)
        self._hashed = self.offset

    def commit(self) -> None:
        """Verify, make durable, make visible. The lock stays until the block is left.

        Raises:
            SizeMismatch: bytes are missing; what is there stays.
            DigestMismatch: the bytes are others; they are gone.
            StoreFull: no space to make them durable; they are gone.
        """
        if self.present:
            return
        self._catch_up()
        if self.size is not None and self.offset != self.size:
            raise SizeMismatch(self.digest, self.size, self.offset)
        actual = f"{self.digest.algorithm}:{self._hash.hexdigest()}"
        if actual != self.digest:
            resumed = self._resumed
            self.discard()
            raise DigestMismatch(self.digest, actual, resumed)
        try:
            os.fsync(self._descriptor)
            self._store.publish(self._path, self.digest)
        except OSError as error:
            self.discard()
            raise self._failure(error) from error
        self.present = True

    def discard(self) -> None:
        """Forget what was held; writing may begin again from the first byte within the same block."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self.offset = self._hashed = 0
        self._hash = hasher(self.digest.algorithm)
        self._resumed = False

    def _is_there(self) -> bool:
        held = self._store.size(self.digest)
        # A file of another length than announced is damaged, or the announcement is wrong: the bytes will tell.
        self.present = held is not None and self.size in (None, held)
        if self.present:
            self.offset = held or 0
        return self.present

    def _lock(self) -> bool:
        """Open and lock the partial file. False when the world has changed meanwhile, so look again."""
        os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._path, flags, 0o600)
        try:
            self._flock(descriptor)
            ours = os.fstat(descriptor)
            if not _is_at(ours, self._path):  # it became the blob, or was swept
                os.close(descriptor)
                return False
            if self._is_there():  # finished between our look and our making a new partial file
                os.unlink(self._path)
                os.close(descriptor)
                return False
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        self._take_up(ours.st_size)
        return True

    def _flock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if self._wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            status = os.fstat(descriptor)
            raise IngestBusy(self.digest, status.st_size, (status.st_dev, status.st_ino)) from None

    def _take_up(self, held: int) -> None:
        if self.size is not None and held > self.size:
            self.discard()
            return
        self.offset = os.lseek(self._descriptor, 0, os.SEEK_END)
        self._resumed = self.offset > 0

    def _read(self, position: int) -> bytes:
        chunk = os.pread(self._descriptor, min(_CHUNK, self.offset - position), position)
        if not chunk:
            raise StoreError(f"cannot continue {self.digest}: its partial file shrank", "Run the command again")
        if position == self._hashed:
            self._hash.update(chunk)
            self._hashed += len(chunk)
        return chunk

    def _catch_up(self) -> None:
        if self.present or self._descriptor < 0:
            raise ValueError("nothing to write: the blob is there, or the block was not entered")
        while self._hashed < self.offset:
            self._read(self._hashed)

    def _failure(self, error: OSError) -> StoreError:
        if is_full(error):
            return StoreFull(f"store {self.digest}")
        return StoreError(f"cannot store {self.digest}: {(error.strerror or str(error)).lower()}")


def _is_at(ours: os.stat_result, path: str) -> bool:
    try:
        theirs = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (ours.st_ino, ours.st_dev) == (theirs.st_ino, theirs.st_dev)
