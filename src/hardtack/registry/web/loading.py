"""Reading what the pages need: manifests through a repository, configs through the repository's links.

What was computed of a digest is remembered, since a digest never changes; that the repository still has it is asked
each time.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from hardtack.oci.digest import Digest
from hardtack.oci.errors import OciError
from hardtack.oci.manifest import Index, Manifest
from hardtack.registry.errors import RegistryError
from hardtack.registry.parsing import parsed
from hardtack.registry.web import views

if TYPE_CHECKING:
    from hardtack.registry.metadata.rows import StoredManifest
    from hardtack.registry.service import Service

_CONFIG_LIMIT = 1 << 20
_REMEMBERED = 4096


class Outline(NamedTuple):
    """What a list shows of a manifest: the size of one image, and the platforms."""

    size: int
    platforms: tuple[str, ...]


class Loader:
    """Reads for the pages."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._outlines: OrderedDict[tuple[str, str], Outline] = OrderedDict()

    async def manifest(self, repository: str, reference: str) -> tuple[StoredManifest, Manifest | Index] | None:
        """A manifest and its meaning; None when the repository has none or nobody can read it."""
        found = await self._service.metadata.manifest(repository, reference)
        if found is None:
            return None
        try:
            return found, await parsed(found.raw, found.media_type, Digest(found.digest))
        except OciError:
            return None

    async def config(self, repository: str, manifest: Manifest) -> bytes | None:
        """The bytes of a config that the repository links to; None when it does not, or they are too many."""
        digest = manifest.config.digest
        if await self._service.metadata.blob_size(repository, digest) is None:
            return None
        try:
            return await self._service.blobs.read(digest, _CONFIG_LIMIT)
        except RegistryError:
            return None

    async def outline(self, repository: str, digest: str) -> Outline:
        """What a list shows of a manifest."""
        key = (repository, digest)
        known = self._outlines.get(key)
        if known is None:
            known = await self._outline(repository, digest)
            self._outlines[key] = known
            if len(self._outlines) > _REMEMBERED:
                self._outlines.popitem(last=False)
        return known

    async def _outline(self, repository: str, digest: str) -> Outline:
        found = await self.manifest(repository, digest)
        if found is None:
            return Outline(0, ())
        manifest = found[1]
        if isinstance(manifest, Index):
            entries = [entry for entry in views.platforms(manifest) if not entry.is_attestation]
            shown = views.preferred(entries)
            size = (await self._outline(repository, shown.digest)).size if shown is not None else 0
            return Outline(size, tuple(dict.fromkeys(entry.platform for entry in entries)))
        platform = views.platform_of(manifest, await self.config(repository, manifest))
        return Outline(views.content_size(manifest), (platform,) if platform else ())
