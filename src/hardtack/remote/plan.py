"""What a pull has to do, decided on plain values: which layers to fetch, which bytes of an answer to take.

No socket and no store here; `fetch` does what is decided.
"""

from __future__ import annotations

from hardtack.errors import TackError
from hardtack.oci import mediatypes
from hardtack.oci.errors import shown
from hardtack.remote.headers import parse_content_range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hardtack.oci.descriptor import Descriptor
    from hardtack.oci.digest import Digest
    from hardtack.oci.manifest import Manifest


class NotAnImage(TackError):
    """A manifest whose config or layers are no image's: an artifact, or something newer than we know.

    Attributes:
        media_type: what is not understood.
    """

    def __init__(self, media_type: str, reason: str) -> None:
        super().__init__(f"{reason} {shown(media_type)}", "It may be an artifact that is no image")
        self.media_type = media_type


class LayersDoNotFit(TackError):
    """A manifest and its config name different numbers of layers."""

    def __init__(self, layers: int, diff_ids: int) -> None:
        super().__init__(f"its manifest has {layers} layers where its config has {diff_ids}")
        self.layers = layers
        self.diff_ids = diff_ids


class StartOver(Exception):
    """The server cannot continue where we are: what is held has to be fetched again from its first byte."""


class LayerTask:
    """One layer of an image: its compressed blob and the diff id of the tar inside."""

    __slots__ = ("descriptor", "diff_id")

    def __init__(self, descriptor: Descriptor, diff_id: Digest) -> None:
        self.descriptor = descriptor
        self.diff_id = diff_id

    def __repr__(self) -> str:
        return f"LayerTask({self.descriptor.digest!s}, {self.diff_id!s})"


def check_image(manifest: Manifest) -> None:
    """See that a manifest is an image's, before anything is fetched for it.

    Raises:
        NotAnImage: its config or one of its layers is of another kind.
    """
    if not mediatypes.is_config(manifest.config.media_type):
        raise NotAnImage(manifest.config.media_type, "its config has the unknown media type")
    for layer in manifest.layers:
        if not mediatypes.is_layer(layer.media_type):
            raise NotAnImage(layer.media_type, "a layer has the unknown media type")


def plan_layers(
    layers: Sequence[Descriptor], diff_ids: Sequence[Digest], mountable: Callable[[Digest], bool]
) -> tuple[list[LayerTask], list[LayerTask]]:
    """Choose the layers that still have to be made mountable.

    Args:
        layers: of a verified image manifest, bottom first.
        diff_ids: of its config.
        mountable: whether the store has a layer already.
    Returns:
        The layers that are there, bottom first, and those that are not, largest first; each layer once, however often
        the image uses it.
    Raises:
        LayersDoNotFit: the two have different lengths.

    Source: OCI image-spec 1.1, config.md, "rootfs".
    """
    if len(layers) != len(diff_ids):
        raise LayersDoNotFit(len(layers), len(diff_ids))
    there: dict[Digest, LayerTask] = {}
    missing: dict[Digest, LayerTask] = {}
    for descriptor, diff_id in zip(layers, diff_ids, strict=True):
        if diff_id not in there and diff_id not in missing:
            (there if mountable(diff_id) else missing)[diff_id] = LayerTask(descriptor, diff_id)
    return list(there.values()), sorted(missing.values(), key=lambda task: -task.descriptor.size)


def bytes_to_skip(status: int, content_range: str | None, announced: int | None, offset: int, size: int) -> int:
    """How many bytes of a blob's answer come before those that are wanted.

    Args:
        status: 200, 206 or 416.
        announced: the Content-Length, None when there is none.
        offset: how many bytes are held.
        size: of the whole blob, as its descriptor says.
    Raises:
        StartOver: 416, although bytes are missing.
        ValueError: the answer contradicts the descriptor or the question; the text says how.

    Source: RFC 9110, 14.4, 15.3.7, 15.5.17.
    """
    if status == 416:
        if offset:
            raise StartOver
        raise ValueError("it refuses to send the first byte")
    if status == 200:
        if announced is not None and announced != size:
            raise ValueError(f"it announces {announced:,} bytes where {size:,} are expected")
        return offset
    span = parse_content_range(content_range or "")
    if span is None:
        raise ValueError("it sends a part without saying which one")
    first, _, total = span
    if first > offset or (total is not None and total != size):
        raise ValueError(f"it sends bytes from {first:,} of {total} where those from {offset:,} of {size:,} are wanted")
    return offset - first
