"""Taking in one layer: uncompressed tar bytes in order, then a commit that makes it mountable, or nothing at all.

Works in layers/.new-<random>, locked as long as the writer lives, so that a sweep knows the dead ones. The directory
gets its name and the row its existence in one transaction, after everything is on disk. Several writers of one layer
do not disturb each other: the first commit stays, the others throw theirs away.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time

from hardtack.oci.digest import Digest, hasher
from hardtack.store.disk import is_full, sync_path
from hardtack.store.errors import StoreFull
from hardtack.store.layer.errors import DiffMismatch, LayerError
from hardtack.store.layer.kernel import opaque_xattr
from hardtack.store.layer.member import DEFAULT_LIMITS, Limits
from hardtack.store.layer.probe import EROFS
from hardtack.store.layer.removal import GONE, NEW, size_of
from hardtack.store.layer.remove import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from hardtack.store.layer.layers import LayerStore
    from hardtack.store.lease import Lease

    class Builder(Protocol):
        """What a driver does with the bytes."""

        driver: str

        @property
        def content(self) -> int: ...

        def write(self, chunk: bytes | memoryview) -> None: ...

        def seal(self, tag: str) -> int: ...

        def close(self) -> None: ...


class Layer:
    """A layer that is in the store.

    Attributes:
        diff_id: digest of the uncompressed tar.
        size: what it takes on disk, in bytes.
        files: members of its tar.
        content: bytes of the files among them.
    """

    __slots__ = ("content", "diff_id", "files", "size")

    def __init__(self, diff_id: Digest, size: int, files: int, content: int) -> None:
        self.diff_id = diff_id
        self.size = size
        self.files = files
        self.content = content


class LayerWriter:
    """One layer on its way in: `write`, then `commit` or `abort`. Used as a with-block it aborts by itself.

    Args:
        expected: the diff id that the bytes must have, or None.
    """

    def __init__(self, store: LayerStore, expected: Digest | None, limits: Limits | None = None) -> None:
        self._root = store.root
        self._expected = expected
        self._algorithm = expected.algorithm if expected is not None else "sha256"
        self._hash = hasher(self._algorithm)
        driver = store.driver
        try:
            self._path, self._lock = _workspace(f"{self._root.path}/layers")
        except OSError as error:
            raise self._failure(error) from error
        try:
            self._builder = _builder(driver, self._path, limits or DEFAULT_LIMITS)
        except OSError as error:
            self._discard()
            raise self._failure(error) from error

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes of the tar.

        Raises:
            BadTar, LayerTooLarge: the tar is not acceptable.
            StoreFull: no space.
        """
        self._hash.update(chunk)
        try:
            self._builder.write(chunk)
        except OSError as error:
            raise self._failure(error) from error

    def commit(self, lease: Lease | None) -> Layer:
        """Verify, make durable, make known.

        Args:
            lease: keeps the layer.
        Raises:
            DiffMismatch: the bytes are others than expected.
            TruncatedTar: the tar ends early.
            StoreFull: no space.
        """
        diff_id = Digest(f"{self._algorithm}:{self._hash.hexdigest()}")
        if self._expected is not None and diff_id != self._expected:
            raise DiffMismatch(self._expected, diff_id)
        try:
            files = self._builder.seal(diff_id.hex)
            os.fsync(self._lock)
            layer = Layer(diff_id, size_of(self._path), files, self._builder.content)
            self._publish(layer, lease)
        except OSError as error:
            raise self._failure(error) from error
        finally:
            self.abort()
        return layer

    def abort(self) -> None:
        """Throw away what is not committed. Repeating is harmless."""
        self._builder.close()
        self._discard()

    def _discard(self) -> None:
        path, self._path = self._path, ""
        try:
            if path:
                remove_tree(path)
        finally:
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1

    def __enter__(self) -> LayerWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    def _publish(self, layer: Layer, lease: Lease | None) -> None:
        """Name and row appear together; of several writers the first one wins."""
        folder = f"{self._root.path}/layers/{layer.diff_id.algorithm}"
        target = f"{folder}/{layer.diff_id.hex}"
        os.makedirs(folder, mode=0o711, exist_ok=True)
        aside = ""
        with self._root.transaction() as db:
            found = db.execute("SELECT size, files, content FROM layer WHERE diff_id = ?", (layer.diff_id,))
            row = found.fetchone()
            if row is not None and os.path.exists(target):
                layer.size, layer.files, layer.content = row
            else:
                if os.path.exists(target):  # of a death between name and row, or about to be collected
                    aside = f"{self._root.path}/layers/{GONE}{os.urandom(8).hex()}"
                    os.rename(target, aside)
                os.rename(self._path, target)
                self._path = ""
                db.execute(
                    "INSERT OR REPLACE INTO layer (diff_id, driver, size, files, content, created)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (layer.diff_id, self._builder.driver, layer.size, layer.files, layer.content, time.time()),
                )
            if lease is not None:
                lease.keep_within(db, [layer.diff_id])
        sync_path(folder)  # a row whose name a loss of power took is found out by `has`
        if aside:
            remove_tree(aside)

    def _failure(self, error: OSError) -> LayerError | StoreFull:
        what = f"layer {self._expected}" if self._expected is not None else "a layer"
        if is_full(error):
            return StoreFull(f"store {what}")
        return LayerError(f"cannot store {what}: {(error.strerror or str(error)).lower()}")


def _workspace(folder: str) -> tuple[str, int]:
    """A new directory and the descriptor that locks it. 0700: a stranger's set-id programs must be out of reach."""
    while True:
        path = tempfile.mkdtemp(prefix=NEW, dir=folder)
        try:
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(path):  # else a sweep was quicker than our lock
            return path, lock
        os.close(lock)


def _builder(driver: str, path: str, limits: Limits) -> Builder:
    if driver == EROFS:
        from hardtack.store.layer.erofs.builder import ErofsBuilder

        return ErofsBuilder(path, limits)
    from hardtack.store.layer.overlay.builder import OverlayBuilder

    return OverlayBuilder(path, limits, opaque_xattr())
