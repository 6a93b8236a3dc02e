"""A tar becomes both things at once: the compressed blob that a registry gets, and the layer that can be mounted here.

One pass over the bytes. The blob is written under a temporary name, locked from its first byte until its row is there,
so that no collection comes between; blob and layer are both on disk before anything says that they exist.
"""

from __future__ import annotations

import fcntl
import os
import tempfile

from hardtack.oci.descriptor import Descriptor
from hardtack.oci.digest import Digest, hasher
from hardtack.oci.mediatypes import OCI_LAYER_GZIP
from hardtack.store.content import Content
from hardtack.store.disk import is_full
from hardtack.store.errors import StoreFull
from hardtack.store.layer.compress import GzipWriter
from hardtack.store.layer.errors import LayerError
from hardtack.store.layer.tarstream import tar_chunks
from hardtack.store.layer.view import View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hardtack.store.layer.layers import LayerStore
    from hardtack.store.layer.writer import Layer
    from hardtack.store.lease import Lease
    from hardtack.store.root import Root


def pack(layers: LayerStore, tar_chunks: Iterable[bytes], lease: Lease | None) -> tuple[Descriptor, Layer]:
    """Store a layer from the bytes of its tar.

    Args:
        layers: where it goes.
        tar_chunks: the uncompressed tar in order.
        lease: keeps blob and layer.
    Returns:
        The descriptor of the gzip blob and the layer; the same tar gives the same ones on every machine.
    Raises:
        BadTar, LayerTooLarge: the tar is not acceptable.
        StoreFull: no space.
    """
    with layers.writer(None) as writer, _Blob(layers.root) as blob:
        for chunk in tar_chunks:
            writer.write(chunk)
            blob.write(chunk)
        digest, size = blob.seal()
        layer = writer.commit(lease)
        blob.publish(digest, size, layer.diff_id, lease)
    return Descriptor(OCI_LAYER_GZIP, digest, size), layer


def adopt_upper(
    layers: LayerStore, upper: str, lease: Lease | None, clamp: int | None = None, below: Sequence[str] = ()
) -> tuple[Descriptor, Layer]:
    """Store what overlayfs collected in an upper directory; see `LayerStore.adopt_upper`."""
    with _Below(layers.root, below) as lower:
        return pack(layers, tar_chunks(upper, clamp, lower.has if below else None), lease)


class _Below:
    """Answers whether the layers below have a directory, mounting them only when it is asked."""

    def __init__(self, root: Root, diff_ids: Sequence[str]) -> None:
        self._root = root
        self._diff_ids = diff_ids
        self._view: View | None = None

    def __enter__(self) -> _Below:
        return self

    def __exit__(self, *_: object) -> None:
        if self._view is not None:
            self._view.__exit__()

    def has(self, path: bytes) -> bool:
        """Whether there is a directory at this path."""
        if self._view is None:
            self._view = View(self._root, self._diff_ids).__enter__()
        where = os.fsencode(self._view.path) + b"/" + path
        return os.path.isdir(where) and not os.path.islink(where)


class _Blob:
    """The compressed side of one pass."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._gzip = GzipWriter()
        self._hash = hasher("sha256")
        self._size = 0
        self._fd = -1
        self._path = ""

    def __enter__(self) -> _Blob:
        try:
            self._fd, self._path = tempfile.mkstemp(prefix="pack-", dir=self._root.tmp)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        except OSError as error:
            raise self._failure(error) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._gzip.abort()
        if self._path:
            os.unlink(self._path)
        os.close(self._fd)

    def write(self, chunk: bytes) -> None:
        self._store(self._gzip.feed(chunk))

    def seal(self) -> tuple[Digest, int]:
        """Everything is on disk; under which digest and how long."""
        self._store(self._gzip.finish())
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise self._failure(error) from error
        return Digest(f"sha256:{self._hash.hexdigest()}"), self._size

    def publish(self, digest: Digest, size: int, diff_id: Digest, lease: Lease | None) -> None:
        """Give the file its name and its rows."""
        if lease is not None:
            lease.keep([digest])
        self._root.blobs.publish(self._path, digest)
        self._path = ""
        content = Content(self._root)
        content.register(digest, size, OCI_LAYER_GZIP, (), lease)
        content.pair(digest, diff_id)

    def _store(self, pieces: Iterable[bytes]) -> None:
        try:
            for piece in pieces:
                self._hash.update(piece)
                self._size += len(piece)
                rest = memoryview(piece)
                while rest:
                    rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            raise self._failure(error) from error

    @staticmethod
    def _failure(error: OSError) -> LayerError | StoreFull:
        if is_full(error):
            return StoreFull("store a layer")
        return LayerError(f"cannot store a layer: {(error.strerror or str(error)).lower()}")
