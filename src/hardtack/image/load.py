"""Images out of archives: docker's old and new ones, OCI's, from a file, a pipe or a directory.

Nothing an archive claims is believed: digests, sizes, numbers of layers and diff ids are verified before a name points
at anything. A load that fails or dies has named nothing; what it took in is collected later.
"""

from __future__ import annotations

from hardtack.image.archive import ArchiveError, open_archive
from hardtack.image.intake import Intake
from hardtack.progress import SILENT, Progress
from hardtack.store.lease import Lease
from hardtack.store.reference import add_image, get_image, resolve, set_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

    from hardtack.oci.digest import Digest
    from hardtack.oci.platform import Platform
    from hardtack.oci.reference import Reference
    from hardtack.store.root import Root


class Found:
    """An image of an archive, taken in and not yet named.

    Attributes:
        digest: of its manifest or index.
        config: of its config for the platform.
        names: what the archive calls it, with tags.
    """

    __slots__ = ("config", "digest", "names")

    def __init__(self, digest: Digest, config: Digest, names: Iterable[Reference]) -> None:
        self.digest = digest
        self.config = config
        self.names = list(names)


class Loaded:
    """An image that is in the store now.

    Attributes:
        image_id: the digest of its config.
        digest: of its manifest or index.
        name: what points at it, None for an image without a name.
        replaced: the id of the image that had this name before, "" when none had.
    """

    __slots__ = ("digest", "image_id", "name", "replaced")

    def __init__(self, image_id: Digest, digest: Digest, name: Reference | None, replaced: str = "") -> None:
        self.image_id = image_id
        self.digest = digest
        self.name = name
        self.replaced = replaced

    def lines(self) -> list[str]:
        """As docker prints it."""
        if self.name is None:
            return [f"Loaded image ID: {self.image_id}"]
        familiar = self.name.familiar()
        lines = [f"Loaded image: {familiar}"]
        if self.replaced:
            lines.insert(
                0, f"The image {familiar} already exists, renaming the old one with ID {self.replaced} to empty string"
            )
        return lines


def load(
    root: Root, source: str | BinaryIO, platform: Platform | None = None, progress: Progress = SILENT
) -> list[Loaded]:
    """Load every image of an archive.

    Args:
        source: a path of a file or a directory, or a stream of bytes.
        platform: the image to make mountable out of each index; this host's where not given.
    Raises:
        ArchiveError: no archive of images, or one that is damaged, lies or leaves parts out.
        DigestMismatch, SizeMismatch, DiffMismatch: bytes that are not what they are called.
        StoreFull: no space.
    """
    with open_archive(root, source) as archive, Lease(root, "load") as lease:
        intake = Intake(root, lease, progress)
        if archive.has("index.json") and archive.has("oci-layout"):
            from hardtack.image.layout import images_of_layout

            found = images_of_layout(archive, intake, platform)
        elif archive.has("manifest.json"):
            from hardtack.image.dockerarchive import images_of_docker

            found = images_of_docker(archive, intake, lease)
        elif archive.has("repositories"):
            raise ArchiveError("it was saved by a docker older than 1.10", "Save it again with a newer one")
        else:
            raise ArchiveError(
                "it holds no images (neither index.json nor manifest.json)",
                "A root file system is taken in with `tack import`",
            )
        return [loaded for image in found for loaded in _name(root, image)]


def _name(root: Root, image: Found) -> list[Loaded]:
    """Make an image and its names appear, all at once."""
    done = []
    with root.transaction(durable=True) as db:
        add_image(db, image.digest, image.config)
        for name in image.names:
            before = get_image(db, resolve(db, name))
            set_reference(db, name, image.digest)
            moved = before is not None and before.config != image.config
            done.append(Loaded(image.config, image.digest, name, before.config if before and moved else ""))
    return done or [Loaded(image.config, image.digest, None)]
