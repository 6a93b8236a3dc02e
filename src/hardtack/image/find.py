"""From what a person typed to an image: its id, its config, and on demand its manifest and its names.

On the start path: finding reads one row or two and one small file.
"""

from __future__ import annotations

from hardtack.image.errors import PlatformMissing
from hardtack.oci.digest import Digest
from hardtack.store.content import Content
from hardtack.store.errors import BlobUnknown, ImageUnknown
from hardtack.store.reference import find_image, references_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.oci.config import ImageConfig
    from hardtack.oci.manifest import Manifest
    from hardtack.oci.platform import Platform
    from hardtack.oci.reference import Reference
    from hardtack.store.root import Root


class Image:
    """An image of this store, for one platform.

    Attributes:
        digest: of its manifest or index; what names point at and what holds its content.
        id: of its config; what people call the image's id.
        config: how a container of it starts, and its diff ids.
    """

    __slots__ = ("_manifest", "_root", "config", "digest", "id")

    def __init__(self, root: Root, digest: str, ident: str, config: ImageConfig) -> None:
        self._root = root
        self._manifest: Manifest | None = None
        self.digest = Digest(digest)
        self.id = Digest(ident)
        self.config = config

    @property
    def manifest(self) -> Manifest:
        """The manifest of this platform, read when it is first asked for.

        Raises:
            BlobUnknown: the store does not hold it.
        """
        if self._manifest is None:
            from hardtack.oci.manifest import Manifest

            row = self._root.db.execute(
                "WITH RECURSIVE below (digest) AS (SELECT ?2 UNION"
                " SELECT child FROM edge JOIN below ON parent = below.digest WHERE kind = 'manifest')"
                " SELECT parent FROM edge WHERE child = ?1 AND kind = 'config' AND parent IN below",
                (self.id, self.digest),
            ).fetchone()
            found = Content(self._root).manifest(row[0]) if row else None
            if not isinstance(found, Manifest):
                raise BlobUnknown(self.digest)
            self._manifest = found
        return self._manifest

    @property
    def references(self) -> list[Reference]:
        """The names of this image, in their order."""
        return references_of(self._root.db, self.digest)


def find(root: Root, name: str, platform: Platform | None = None) -> Image:
    """Find the image that a person means by a name, an id or its beginning, or a digest.

    Args:
        platform: take this one's image out of an index, or refuse; by default the one that its id names.
    Raises:
        ImageUnknown: there is none.
        ImageAmbiguous: the beginning of an id fits several.
        PlatformMissing: there is none for the platform.
        BlobUnknown: its config was lost; pull or load it again.
    """
    row = find_image(root.db, name)
    if row is None:
        raise ImageUnknown(name)
    content = Content(root)
    config = content.config(row.config)
    if platform is None or _fits(config, platform):
        return Image(root, row.digest, row.config, config)
    return _of_platform(root, row.digest, name, platform, config)


def _fits(config: ImageConfig, platform: Platform) -> bool:
    wanted, offered = platform, config.platform
    return (wanted.os, wanted.architecture) == (offered.os, offered.architecture) and (
        not wanted.variant or wanted.variant == offered.variant
    )


def _of_platform(root: Root, digest: Digest, name: str, platform: Platform, other: ImageConfig) -> Image:
    from hardtack.oci.manifest import Index
    from hardtack.oci.platform import choose

    content = Content(root)
    found = content.manifest(digest)
    offered = choose(found.manifests, platform) if isinstance(found, Index) else []
    for descriptor in offered:
        if not content.has(descriptor.digest):
            continue
        manifest = content.manifest(descriptor.digest)
        if not isinstance(manifest, Index) and content.has(manifest.config.digest):
            config = content.config(manifest.config.digest)
            if _fits(config, platform):
                return Image(root, digest, manifest.config.digest, config)
    raise PlatformMissing(name, str(platform), str(other.platform))
