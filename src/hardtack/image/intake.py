"""Taking in the parts of an image from anywhere that can be opened: documents, blobs, layers made mountable.

Every byte is verified against the digest that asked for it, a layer's also against the diff id in its image's config.
What is held already is not read again.
"""

from __future__ import annotations

from threading import Event

from hardtack.oci.digest import Digest
from hardtack.oci.limits import DOCUMENT_LIMIT
from hardtack.remote.turn import Turn
from hardtack.store.content import Content
from hardtack.store.errors import BlobTooLarge, DigestMismatch, SizeMismatch
from hardtack.store.layer import LayerStore
from hardtack.store.layer.apply import Apply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from hardtack.oci.descriptor import Descriptor
    from hardtack.progress import Progress
    from hardtack.store.ingest import Ingest
    from hardtack.store.lease import Lease
    from hardtack.store.root import Root

    Opener = Callable[[], BinaryIO]

_CHUNK = 1 << 20
_PATIENCE = 300.0  # seconds without a new byte until another process that takes in the same blob counts as stuck


class Intake:
    """Brings parts into one store.

    Args:
        lease: keeps them until an image does.
        progress: hears of each layer by its digest.
    """

    def __init__(self, root: Root, lease: Lease, progress: Progress) -> None:
        self.root = root
        self.content = Content(root)
        self.layers = LayerStore(root)
        self._lease = lease
        self._progress = progress

    def document(self, descriptor: Descriptor, opener: Opener) -> bytes:
        """A manifest, an index or a config: from the store, else taken in.

        Raises:
            BlobTooLarge: it claims more than a document may have.
            SizeMismatch, DigestMismatch: the bytes are others.
        """
        if descriptor.size > DOCUMENT_LIMIT:
            raise BlobTooLarge(descriptor.digest, descriptor.size, DOCUMENT_LIMIT)
        self._lease.keep([descriptor.digest])
        if self.content.has(descriptor.digest):
            return self.root.blobs.read(descriptor.digest, DOCUMENT_LIMIT)
        with opener() as file:
            data = file.read(descriptor.size + 1)
        if len(data) != descriptor.size:
            raise SizeMismatch(descriptor.digest, descriptor.size, len(data))
        actual = Digest.of(data, descriptor.digest.algorithm)
        if actual != descriptor.digest:
            raise DigestMismatch(descriptor.digest, actual)
        self._take(descriptor, lambda ingest: self._copy(ingest, opener, None))
        return data

    def blob(self, descriptor: Descriptor, opener: Opener) -> None:
        """A blob that is only kept."""
        self._lease.keep([descriptor.digest])
        if not self.content.has(descriptor.digest):
            self._take(descriptor, lambda ingest: self._copy(ingest, opener, None))

    def layer(self, descriptor: Descriptor, diff_id: Digest, opener: Opener) -> None:
        """A layer: its blob kept verbatim and its tar made mountable, in one pass.

        Raises:
            DiffMismatch: the tar in it is not the one that the config names.
        """
        self._lease.keep([descriptor.digest, diff_id])
        item = str(descriptor.digest)
        if self.content.has(descriptor.digest) and self.layers.has(diff_id):
            self._progress.finish(item, "Already exists")
            return
        self._progress.begin(item, "Loading layer", descriptor.size)
        apply = Apply(self.layers, descriptor.media_type, diff_id)
        try:
            self._take(descriptor, lambda ingest: self._copy(ingest, opener, apply))
            apply.finish(self._lease)
        finally:
            apply.abort()
        self.content.pair(descriptor.digest, diff_id)
        self._progress.finish(item, "Loaded")

    def _take(self, descriptor: Descriptor, copy: Callable[[Ingest], None]) -> None:
        edges = None if descriptor.size <= DOCUMENT_LIMIT else ()

        def register() -> None:
            self.content.register(descriptor.digest, descriptor.size, descriptor.media_type, edges, self._lease)

        with Turn(self.root.blobs, descriptor.digest, descriptor.size, register, Event(), _PATIENCE) as ingest:
            there = ingest.present
            copy(ingest)
            if there:
                return
            try:
                ingest.commit()
            except SizeMismatch:
                ingest.discard()  # no rest will ever come
                raise
            register()

    def _copy(self, ingest: Ingest, opener: Opener, apply: Apply | None) -> None:
        """Write what the opener gives into the blob, or what the blob has when it is there, and show it to `apply`."""
        if not ingest.present and ingest.offset:
            ingest.discard()  # of another attempt; everything is at hand
        try:
            with self.root.blobs.open(ingest.digest) if ingest.present else opener() as file:
                while chunk := file.read(_CHUNK):
                    if not ingest.present:
                        ingest.write(chunk)
                    if apply is not None:
                        apply.feed(chunk)
                    self._progress.advance(str(ingest.digest), len(chunk))
        except BaseException:
            if not ingest.present:
                ingest.discard()
            raise
