"""Giving an image another name."""

from __future__ import annotations

from hardtack.image.errors import ImageError
from hardtack.oci.digest import LENGTHS
from hardtack.oci.reference import Reference
from hardtack.store.errors import ImageUnknown
from hardtack.store.reference import find_image, mark_used, set_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.store.root import Root


class TagRefused(ImageError):
    """A name that no tag can have."""


def tag(root: Root, source: str, target: str) -> Reference:
    """Let `target` (with the tag latest where it has none) point at the image that `source` means.

    Raises:
        ImageUnknown, ImageAmbiguous: of the source.
        InvalidReference: the target is no name.
        TagRefused: the target has a digest, or reads like one.
    """
    name = Reference.parse(target)
    if name.digest:
        raise TagRefused("refusing to create a tag with a digest reference", "Leave the digest out of the new name")
    if name.familiar_repository() in LENGTHS:
        raise TagRefused("refusing to create an ambiguous tag using digest algorithm as name", "Choose another name")
    name = name.tagged()
    with root.transaction(durable=True) as db:
        row = find_image(db, source)
        if row is None:
            raise ImageUnknown(source)
        set_reference(db, name, row.digest)
        mark_used(db, row.digest)
    return name
