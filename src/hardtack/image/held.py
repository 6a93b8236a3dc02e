"""Whether an image of an index can be passed on whole: pushed or saved, with every byte that belongs to it.

A manifest may be held without its layers: pulls fetch one platform, archives bring what somebody put into them.
"""

from __future__ import annotations

from hardtack.oci import mediatypes
from hardtack.oci.manifest import Index
from hardtack.store.content import Content, origins

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.oci.descriptor import Descriptor
    from hardtack.store.root import Root


def is_whole(root: Root, child: Descriptor, foreign: bool) -> bool:
    """Whether a child of an index, with everything below it, is held or can be had.

    Args:
        foreign: layers that may not be distributed are not missed: whoever gets the image fetches them elsewhere.
    """
    content = Content(root)
    if not content.has(child.digest):
        return False
    document = content.manifest(child.digest)
    if isinstance(document, Index):
        return all(is_whole(root, grandchild, foreign) for grandchild in document.manifests)
    return all(can_be_had(root, blob, foreign) for blob in document.children())


def can_be_had(root: Root, blob: Descriptor, foreign: bool) -> bool:
    """Whether we hold a blob, or know where it is, or nobody expects it from us."""
    return (
        root.blobs.size(blob.digest) is not None
        or (foreign and mediatypes.is_foreign(blob.media_type))
        or bool(origins(root.db, blob.digest))
    )
