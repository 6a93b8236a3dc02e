"""Bytes that the store has let go, or never needed, are brought back from where they once came.

A layer may be mountable although its compressed blob is not held: another image brought the same tar in another
compression. Who sends or saves such an image asks here.
"""

from __future__ import annotations

from hardtack.progress import SILENT, Progress
from hardtack.store.content import origins
from hardtack.store.errors import BlobUnknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from threading import Event

    from hardtack.errors import TackError
    from hardtack.oci.descriptor import Descriptor
    from hardtack.remote.transport import Transport
    from hardtack.store.lease import Lease
    from hardtack.store.root import Root


def refetch(
    root: Root,
    blob: Descriptor,
    lease: Lease,
    progress: Progress = SILENT,
    transport: Transport | None = None,
    cancelled: Event | None = None,
) -> None:
    """Fetch a blob from one of the repositories that are known to hold it; nothing happens when it is held.

    Args:
        lease: keeps it.
        transport: of the operation that wants it, so that what breaks off the one breaks off the other.
        cancelled: set when another part of the operation has failed; the fetching ends soon after.
    Raises:
        BlobUnknown: nobody is known to hold it.
        RemoteError: those who are do not give it.
    """
    if root.blobs.size(blob.digest) is not None:
        return
    from hardtack.oci.reference import Reference
    from hardtack.remote.client import RegistryClient
    from hardtack.remote.errors import Cancelled, RemoteError
    from hardtack.remote.fetch import Fetcher
    from hardtack.remote.sources import RepositorySource

    failure: TackError = BlobUnknown(blob.digest)
    for repository in origins(root.db, blob.digest):
        place = Reference.parse(repository)
        client = RegistryClient(place.domain, transport=transport)
        source = RepositorySource(client.repository(place.path))
        try:
            Fetcher(root, [source], client.transport, lease, progress, cancelled).blob(blob)
            return
        except Cancelled:
            raise
        except RemoteError as error:
            failure = error
    raise failure
