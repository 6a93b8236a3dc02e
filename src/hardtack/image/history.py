"""What made an image: each instruction with the layer it made and how large that is."""

from __future__ import annotations

from hardtack.image.catalog import entry_of
from hardtack.image.find import find
from hardtack.image.sizes import layer_size
from hardtack.oci.config import history_with_layers
from hardtack.oci.moment import parse_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.oci.digest import Digest
    from hardtack.oci.platform import Platform
    from hardtack.store.root import Root


class Step:
    """One instruction.

    Attributes:
        id: the image's id at its youngest step, "<missing>" elsewhere: docker's words for "only a step".
        created: seconds since 1970, 0 when unknown.
        created_by, comment: as the image says.
        tags: names of the image, at its youngest step.
        layer: the diff id of the layer it made, None where it made none.
        size: the bytes of the files in that layer.
    """

    __slots__ = ("comment", "created", "created_by", "id", "layer", "size", "tags")

    def __init__(self, ident: str, created: float, created_by: str, comment: str, layer: Digest | None) -> None:
        self.id = ident
        self.created = created
        self.created_by = created_by
        self.comment = comment
        self.layer = layer
        self.size = 0
        self.tags: list[str] = []


def history(root: Root, text: str, platform: Platform | None = None) -> list[Step]:
    """The steps of an image, the youngest first, as docker shows them.

    Raises:
        ImageUnknown, ImageAmbiguous, PlatformMissing: as `find`.
    """
    image = find(root, text, platform)
    steps = []
    for entry, layer in history_with_layers(image.config):
        step = Step("<missing>", _seconds(entry.created), entry.created_by, entry.comment, layer)
        if layer is not None:
            step.size = layer_size(root.db, layer)
        steps.append(step)
    steps.reverse()
    if steps:
        steps[0].id = image.id
        named = entry_of(root.db, text)
        steps[0].tags = named.tags if named else []
    return steps


def _seconds(text: str) -> float:
    try:
        return parse_time(text) if text else 0.0
    except ValueError:
        return 0.0
