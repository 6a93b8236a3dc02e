"""What the registry asks of a metadata store, whichever database is behind it.

Every method is one transaction. What a method that writes has returned is durable, except where it says otherwise, and
is seen by the next read of any process. Times come from the store's own clock. No method trusts its caller about
access: that was decided before, and here only links decide which blob belongs to which repository.

The safety of collection rests on three promises: `claim` is seen by `drop_blobs` or waits for it; a link is only made
to a blob that is claimed or linked; `drop_blobs` removes the bytes before its transaction ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from hardtack.registry.metadata.rows import (
        NewManifest,
        Referrer,
        RepositorySummary,
        StoredManifest,
        Tag,
        TagEvent,
        Totals,
        Upload,
    )

    TagGuard = Callable[[str, str | None], None]
    """Called inside the transaction with a tag and what it points to so far; raises to refuse the change."""

    RemoveBlobs = Callable[[Sequence[str]], Awaitable[None]]


class Reading(Protocol):
    """Questions. The first three are asked for every pull and must be quick."""

    async def manifest(self, repository: str, reference: str) -> StoredManifest | None:
        """The manifest behind a tag or a digest."""
        ...

    def manifest_at_once(self, repository: str, reference: str) -> StoredManifest | None:
        """The same where it needs no waiting; an implementation that always has to wait says None."""
        ...

    async def blob_size(self, repository: str, digest: str) -> int | None:
        """The size of a blob that the repository links to."""
        ...

    async def has_repository(self, repository: str) -> bool:
        """Whether the name is one of a repository that exists."""
        ...

    async def tags(self, repository: str, after: str = "", limit: int = 1000) -> list[Tag]:
        """Tags in the order of their bytes, those after `after`."""
        ...

    async def tag_names(self, repository: str, after: str = "", limit: int = 1000) -> list[str]:
        """The same, names alone."""
        ...

    async def latest_tags(
        self, repository: str, containing: str = "", before: tuple[float, str] | None = None, limit: int = 50
    ) -> list[Tag]:
        """Tags whose name contains a text, those changed last first.

        Args:
            before: moment and name of the tag after which the page begins.
        """
        ...

    async def tags_of(self, repository: str, digest: str, limit: int = 100) -> list[str]:
        """Tags that point at a manifest."""
        ...

    async def tag_history(self, repository: str, tag: str, limit: int = 100) -> list[TagEvent]:
        """What a tag has pointed to, latest first."""
        ...

    async def repositories(self, after: str = "", limit: int = 1000) -> list[str]:
        """Names of repositories in the order of their bytes."""
        ...

    async def summaries(self, containing: str = "", after: str = "", limit: int = 50) -> list[RepositorySummary]:
        """Repositories whose name contains a text, with what a list of them shows."""
        ...

    async def summary(self, repository: str) -> RepositorySummary | None:
        """The same of one repository."""
        ...

    async def totals(self) -> Totals:
        """What the registry holds altogether."""
        ...

    async def referrers(
        self, repository: str, subject: str, artifact_type: str = "", after: str = "", limit: int = 1000
    ) -> list[Referrer]:
        """Manifests of the repository with this subject, in the order of their digests."""
        ...

    async def parents(self, repository: str, digest: str, limit: int = 100) -> list[tuple[str, str]]:
        """Manifests of the repository that need this content, with the kind of the need."""
        ...

    async def linked_in(self, digest: str, after: str = "", limit: int = 100) -> list[str]:
        """Names of repositories that link to a blob."""
        ...

    async def upload(self, upload: str) -> Upload | None:
        """A session that has not been forgotten; finished ones are remembered for a while."""
        ...


class Writing(Protocol):
    """Changes."""

    async def begin_upload(self, upload: str, repository: str, who: str) -> None:
        """Open a session. May be lost with the power."""
        ...

    async def touch_upload(self, upload: str) -> None:
        """Note that a session lives. May be lost with the power."""
        ...

    async def claim(self, upload: str, repository: str, who: str, digest: str, size: int) -> None:
        """Announce that the session is about to make its bytes a blob; from now on nothing collects that.

        The bytes are not yet verified: a claim protects, and gives access to nothing.

        The session need not have been opened. May be lost with the power, since then no link was made either.
        """
        ...

    async def finish_upload(self, upload: str, repository: str, digest: str, size: int) -> None:
        """Link the blob, which is on disk, to the repository, made when it is new, and close the session."""
        ...

    async def cancel_upload(self, upload: str) -> bool:
        """Forget a session. Returns whether it was there."""
        ...

    async def mount(self, repository: str, digest: str, source: str) -> bool:
        """Link a blob that the source links to. Returns whether it does."""
        ...

    async def put_manifest(
        self, repository: str, manifest: NewManifest, tags: Sequence[str], who: str, guard: TagGuard
    ) -> None:
        """Store a manifest and point tags at it, all or nothing.

        Raises:
            ManifestBlobUnknown: the repository lacks a required child.
            whatever the guard raises.
        """
        ...

    async def delete_tag(self, repository: str, tag: str, who: str) -> bool:
        """Forget a tag. Returns whether it was there."""
        ...

    async def delete_manifest(self, repository: str, digest: str, who: str, spare: float) -> bool:
        """Forget a manifest with its tags, and unlink the blobs that no other manifest of the repository needs.

        Args:
            spare: blobs linked less than this many seconds ago stay for now, since another push may count on them.
        """
        ...

    async def delete_blob(self, repository: str, digest: str) -> bool:
        """Unlink a blob. Returns whether it was linked.

        Raises:
            BlobInUse: a manifest of the repository needs it.
        """
        ...


class Collecting(Protocol):
    """The steps of the collector; each does at most `limit` things and returns them, so that none takes long."""

    async def drop_uploads(self, idle: float, limit: int = 100) -> list[str]:
        """Forget sessions untouched for `idle` seconds. Returns the ids of those whose bytes are to be discarded."""
        ...

    async def drop_links(self, idle: float, limit: int = 500) -> int:
        """Unlink blobs that no manifest of their repository has needed for `idle` seconds, nor an upload there."""
        ...

    async def drop_blobs(self, idle: float, remove: RemoveBlobs, limit: int = 100) -> list[tuple[str, int]]:
        """Forget blobs that no repository has linked to and no session has claimed for `idle` seconds.

        Args:
            remove: removes their bytes; called before the transaction ends.
        Returns:
            Digests and sizes of what went.
        """
        ...

    async def drop_repositories(self, idle: float, limit: int = 100) -> list[str]:
        """Forget repositories in which nothing has been for `idle` seconds."""
        ...


class Metadata(Reading, Writing, Collecting, Protocol):
    """All of it, and an end."""

    async def close(self) -> None:
        """Finish what was begun and let go of the database."""
        ...
