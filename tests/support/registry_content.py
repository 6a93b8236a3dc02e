"""Content put straight into the metadata, for tests of what is made of it: blobs and manifests named by their text."""

from __future__ import annotations

from collections.abc import Sequence

from hardtack.oci.digest import Digest
from hardtack.registry.metadata.database import Database
from hardtack.registry.metadata.rows import Child, NewManifest
from hardtack.registry.metadata.store import Metadata

OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def digest(text: str) -> Digest:
    return Digest.of(text.encode())


def let(tag: str, before: str | None) -> None:
    """The guard that refuses nothing."""


class Content:
    """Pushes and collects as a client and the collector do, without either."""

    def __init__(self, database: Database) -> None:
        self.store = Metadata(database)

    async def blob(self, repository: str, text: str) -> Digest:
        """A blob whose bytes are the text."""
        upload = f"upload of {text} to {repository}"
        await self.store.claim(upload, repository, "ada", digest(text), len(text))
        await self.store.finish_upload(upload, repository, digest(text), len(text))
        return digest(text)

    async def image(self, repository: str, tag: str, *layers: str, subject: str = "", who: str = "ada") -> str:
        """An image of layers, under a tag unless that is empty; its bytes are `image TAG of LAYERS`."""
        for layer in layers:
            await self.blob(repository, layer)
        children = tuple(Child(digest(layer), "layer", True) for layer in layers)
        return await self.manifest(repository, f"image {tag} of {layers}{subject}", tag, children, subject, OCI, who)

    async def index(self, repository: str, tag: str, *images: str) -> str:
        """An index of images by their digests."""
        children = tuple(Child(Digest(image), "manifest", False) for image in images)
        return await self.manifest(repository, f"index {tag}", tag, children, media_type=INDEX)

    async def manifest(
        self,
        repository: str,
        text: str,
        tag: str = "",
        children: tuple[Child, ...] = (),
        subject: str = "",
        media_type: str = OCI,
        who: str = "ada",
    ) -> str:
        raw = text.encode()
        new = NewManifest(Digest.of(raw), media_type, raw, "", subject, "", children)
        await self.store.put_manifest(repository, new, [tag] if tag else [], who, let)
        return str(new.digest)

    async def delete(self, repository: str, name: str, keep: bool = True) -> bool:
        return await self.store.delete_manifest(repository, name, "eve", -1.0, keep)

    async def collected(self, idle: float = -1.0) -> tuple[set[str], int]:
        """Digests and bytes of the blobs that the collector takes."""
        gone: set[str] = set()
        size = 0

        async def remove(digests: Sequence[str]) -> None:
            """There are no bytes."""

        while await self.store.drop_links(idle):
            pass
        while rows := await self.store.drop_blobs(idle, remove):
            gone.update(name for name, _ in rows)
            size += sum(count for _, count in rows)
        return gone, size
