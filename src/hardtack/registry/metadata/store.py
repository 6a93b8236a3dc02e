"""The metadata of content: manifests, tags, links to blobs, uploads; over either database.

Every method is one transaction. What a method that writes has returned is durable, except where it says otherwise, and
is seen by the next read of any process. No method trusts its caller about access: that was decided before, and here
only links decide which blob belongs to which repository.

The safety of collection rests on three promises: `claim` is seen by `drop_blobs` or waits for it; a link is only made
to a blob that is claimed or linked; `drop_blobs` removes the bytes before its transaction ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.metadata import changes, collecting, reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hardtack.registry.metadata.changes import TagGuard
    from hardtack.registry.metadata.collecting import RemoveBlobs
    from hardtack.registry.metadata.database import Database
    from hardtack.registry.metadata.rows import (
        NewManifest,
        Referrer,
        StoredManifest,
        Tag,
        TagEvent,
        Totals,
        Upload,
    )


class Metadata:
    """See the module. Times are in seconds.

    Args:
        visibility: of new repositories whose namespace says nothing; those under library/ are public.
    """

    def __init__(self, database: Database, visibility: str = changes.PRIVATE) -> None:
        self._db = database
        self._visibility = visibility

    # Reading. The first are asked for every pull and must be quick.

    async def manifest(self, repository: str, reference: str) -> StoredManifest | None:
        """The manifest behind a tag or a digest."""
        return await self._db.read(reading.manifest, repository, reference)

    def manifest_at_once(self, repository: str, reference: str) -> StoredManifest | None:
        """The same where it needs no waiting; None as well when the database always has to wait."""
        return self._db.at_once(reading.manifest, repository, reference)

    async def blob_size(self, repository: str, digest: str) -> int | None:
        """The size of a blob that the repository links to."""
        return await self._db.read(reading.blob_size, repository, digest)

    async def visibility(self, repository: str) -> str:
        """Who may pull without having been granted it; "" when there is no such repository."""
        return await self._db.read(reading.visibility, repository)

    async def has_repository(self, repository: str) -> bool:
        """Whether the name is one of a repository that exists."""
        return await self._db.read(reading.has_repository, repository)

    async def upload(self, upload: str) -> Upload | None:
        """A session that has not been forgotten; finished ones are remembered for a while."""
        return await self._db.read(reading.upload, upload)

    async def tag_names(self, repository: str, after: str = "", limit: int = 1000) -> list[str]:
        """Names of tags in the order of their bytes, those after `after`."""
        return await self._db.read(reading.tag_names, repository, after, limit)

    async def repositories(self, after: str = "", limit: int = 1000) -> list[tuple[str, str]]:
        """Names of repositories in the order of their bytes, each with its visibility."""
        return await self._db.read(reading.repositories, after, limit)

    async def linked_in(self, digest: str, after: str = "", limit: int = 100) -> list[tuple[str, str]]:
        """Names of repositories that link to a blob, each with its visibility, after one; the oldest first."""
        return await self._db.read(reading.linked_in, digest, after, limit)

    async def tags(self, repository: str, after: str = "", limit: int = 1000) -> list[Tag]:
        """Tags in the order of their bytes, with what they point at."""
        return await self._db.browse(reading.tags, repository, after, limit)

    async def latest_tags(
        self, repository: str, containing: str = "", before: tuple[float, str] | None = None, limit: int = 50
    ) -> list[Tag]:
        """Tags whose name contains a text, those changed last first.

        Args:
            before: moment and name of the tag after which the page begins.
        """
        return await self._db.browse(reading.latest_tags, repository, containing, before, limit)

    async def tags_of(self, repository: str, digest: str, limit: int = 100) -> list[str]:
        """Tags that point at a manifest."""
        return await self._db.browse(reading.tags_of, repository, digest, limit)

    async def tag_history(self, repository: str, tag: str, limit: int = 100) -> list[TagEvent]:
        """What a tag has pointed to, latest first."""
        return await self._db.browse(reading.tag_history, repository, tag, limit)

    async def totals(self) -> Totals:
        """What the registry holds altogether; a million of each kind is as far as it counts."""
        return await self._db.browse(reading.totals)

    async def referrers(
        self, repository: str, subject: str, artifact_type: str = "", after: str = "", limit: int = 1000
    ) -> list[Referrer]:
        """Manifests of the repository with this subject, in the order of their digests."""
        return await self._db.browse(reading.referrers, repository, subject, artifact_type, after, limit)

    async def parents(self, repository: str, digest: str, limit: int = 100) -> list[tuple[str, str]]:
        """Manifests of the repository that need this content, with the kind of the need."""
        return await self._db.browse(reading.parents, repository, digest, limit)

    # Writing

    async def begin_upload(self, upload: str, repository: str, who: str) -> None:
        """Open a session. May be lost with the power."""
        await self._db.note(changes.begin_upload, upload, repository, who, self._db.now())

    async def touch_upload(self, upload: str) -> None:
        """Note that a session lives. May be lost with the power."""
        await self._db.note(changes.touch_upload, upload, self._db.now())

    async def claim(self, upload: str, repository: str, who: str, digest: str, size: int, opened: bool = False) -> None:
        """Announce that the session is about to make its bytes a blob; from now on nothing collects that.

        The bytes are not yet verified: a claim protects, and gives access to nothing. May be lost with the power, since
        then no link was made either.

        Args:
            opened: the session was opened before, and is to be there still.
        Raises:
            UploadUnknown: it is not.
        """
        await self._db.note(changes.claim, upload, repository, who, digest, size, self._db.now(), opened)

    async def finish_upload(self, upload: str, repository: str, digest: str, size: int) -> None:
        """Link the blob, which is on disk, to the repository, made when it is new, and close the session.

        Raises:
            UploadUnknown: the session is gone, or the repository has another name now.
            QuotaExceeded: the namespace has no room for it.
        """
        await self._db.write(changes.finish_upload, upload, repository, digest, size, self._db.now(), self._visibility)

    async def cancel_upload(self, upload: str) -> bool:
        """Forget a session. Returns whether it was there. May be lost with the power."""
        return await self._db.note(changes.cancel_upload, upload)

    async def mount(self, repository: str, digest: str, source: str) -> bool:
        """Link a blob that the source links to. Returns whether it does.

        Raises:
            QuotaExceeded: the namespace has no room for it.
        """
        return await self._db.write(changes.mount, repository, digest, source, self._db.now(), self._visibility)

    async def renew_link(self, repository: str, digest: str, idle: float) -> None:
        """Let a blob that has been idle for so many seconds stay as if it were pushed now, since a push counts on it.
        May be lost with the power."""
        now = self._db.now()
        if await self._db.read(reading.is_idle, repository, digest, now - idle):
            await self._db.note(changes.renew_link, repository, digest, now)

    async def put_manifest(
        self, repository: str, manifest: NewManifest, tags: Sequence[str], who: str, guard: TagGuard
    ) -> None:
        """Store a manifest and point tags at it, all or nothing.

        Raises:
            ManifestBlobUnknown: the repository lacks a required child.
            TagImmutable: a tag points elsewhere and may not be moved.
            QuotaExceeded: the namespace has no room for it.
            whatever the guard raises.
        """
        now = self._db.now()
        await self._db.write(changes.put_manifest, repository, manifest, tags, who, guard, now, self._visibility)

    async def delete_tag(self, repository: str, tag: str, who: str) -> bool:
        """Forget a tag. Returns whether it was there. Raises TagImmutable."""
        return await self._db.free(changes.delete_tag, repository, tag, who, self._db.now())

    async def delete_manifest(self, repository: str, digest: str, who: str, spare: float, keep: bool = False) -> bool:
        """Forget a manifest with its tags, and unlink the blobs that no other manifest of the repository needs.

        Args:
            spare: blobs linked less than this many seconds ago stay for now, since another push may count on them.
            keep: bury it, so that it can be brought back for a while.
        Raises:
            TagImmutable: one of its tags may not be deleted.
        """
        return await self._db.free(changes.delete_manifest, repository, digest, who, spare, self._db.now(), keep)

    async def delete_blob(self, repository: str, digest: str) -> bool:
        """Unlink a blob. Returns whether it was linked.

        Raises:
            BlobInUse: a manifest of the repository needs it.
        """
        return await self._db.free(changes.delete_blob, repository, digest, self._db.now())

    # Collecting. Each step does at most `limit` things and returns them, so that none takes long.

    async def drop_uploads(self, idle: float, limit: int = 100) -> list[str]:
        """Forget sessions untouched for `idle` seconds. Returns the ids of those whose bytes are to be discarded."""
        return await self._db.free(collecting.drop_uploads, self._db.now() - idle, limit)

    async def drop_links(self, idle: float, limit: int = 500) -> int:
        """Unlink blobs that no manifest of their repository has needed for `idle` seconds, nor an upload there."""
        return await self._db.free(collecting.drop_links, self._db.now() - idle, limit)

    async def drop_blobs(self, idle: float, remove: RemoveBlobs, limit: int = 100) -> list[tuple[str, int]]:
        """Forget blobs that no repository has linked to and no session has claimed for `idle` seconds.

        Args:
            remove: removes their bytes; called before the transaction ends.
        Returns:
            Digests and sizes of what went.
        """
        return await self._db.free(collecting.drop_blobs, self._db.now() - idle, limit, remove)

    async def drop_repositories(self, idle: float, limit: int = 100) -> list[str]:
        """Forget repositories in which nothing has been for `idle` seconds."""
        return await self._db.free(collecting.drop_repositories, self._db.now() - idle, limit)
