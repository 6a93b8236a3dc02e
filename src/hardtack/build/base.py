"""Images that a build begins from or copies from: found in the store, pulled where they are not there."""

from __future__ import annotations

from hardtack.build.errors import BuildError
from hardtack.build.state import State
from hardtack.image.errors import PlatformMissing
from hardtack.image.find import find
from hardtack.store.errors import ImageUnknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.build.session import Session, Vertex
    from hardtack.image.find import Image
    from hardtack.oci.platform import Platform


def resolve(session: Session, name: str, platform: Platform) -> State:
    """The state that an image gives.

    Args:
        name: as the Dockerfile has it, variables replaced.
        platform: which image of an index.
    Raises:
        BuildError: it is not here and cannot be pulled, or cannot be a base.
    """
    vertex = session.begin(f"[internal] load metadata for {name}")
    image = None
    if not session.options.pull:
        try:
            image = find(session.root, name, platform)
        except (ImageUnknown, PlatformMissing):
            pass
    if image is None:
        image = _pulled(session, name, platform, vertex)
    blobs = list(image.manifest.layers)
    if len(blobs) != len(image.config.diff_ids):
        raise BuildError(f"cannot build from {name}: its config and its manifest disagree about its layers")
    vertex.end()
    return State.of_image(image.config, blobs)


def _pulled(session: Session, name: str, platform: Platform, vertex: Vertex) -> Image:
    from hardtack.image.pull import pull
    from hardtack.oci.reference import Reference
    from hardtack.progress import Progress

    class _Lines(Progress):
        def finish(self, item: str, label: str) -> None:
            vertex.say(f"{item} {label}")

        def say(self, line: str) -> None:
            vertex.say(line)

    reference = Reference.parse(name)
    pulled = pull(session.root, reference, platform, _Lines())
    return find(session.root, str(pulled.digest), platform)
