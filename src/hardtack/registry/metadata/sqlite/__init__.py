"""Metadata in SQLite: the embedded implementation, for any number of processes on one machine.

Short reads are answered in the event loop, where they cost less than a change of thread; listings for pages run in a
thread with a connection of their own. Writing is the writer's.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from hardtack.registry.errors import StorageFull
from hardtack.registry.metadata.sqlite import changes, collecting, reading
from hardtack.registry.metadata.sqlite.ballast import Ballast
from hardtack.registry.metadata.sqlite.database import connect, prepare
from hardtack.registry.metadata.sqlite.writer import Writer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from hardtack.registry.metadata.interface import RemoveBlobs, TagGuard
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

T = TypeVar("T")


class SqliteMetadata:
    """See `metadata.interface.Metadata`. Belongs to the event loop that made it.

    Args:
        path: of the database file; made or migrated when needed.
        clock: seconds since 1970.
    """

    def __init__(self, path: str, clock: Callable[[], float] = time.time) -> None:
        prepare(path)
        self._clock = clock
        self._quick = connect(path, writing=False)
        self._listing = connect(path, writing=False)
        self._lister = ThreadPoolExecutor(1, "registry-lister")
        self._writer = Writer(path)
        self._ballast = Ballast(f"{path}-ballast")
        self._ballast.take()

    async def close(self) -> None:
        await self._writer.close()
        self._lister.shutdown()
        self._listing.close()
        self._quick.close()

    async def _list(self, question: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._lister, question, self._listing, *args)

    async def _free(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Run a change that frees space, with the space held back for it when there is no other."""
        try:
            return await self._writer.do(change)
        except StorageFull:
            if not self._ballast.drop():
                raise
            return await self._writer.do(change)

    # Reading

    def manifest_at_once(self, repository: str, reference: str) -> StoredManifest | None:
        return reading.manifest(self._quick, repository, reference)

    async def manifest(self, repository: str, reference: str) -> StoredManifest | None:
        return reading.manifest(self._quick, repository, reference)

    async def blob_size(self, repository: str, digest: str) -> int | None:
        return reading.blob_size(self._quick, repository, digest)

    async def has_repository(self, repository: str) -> bool:
        return reading.has_repository(self._quick, repository)

    async def upload(self, upload: str) -> Upload | None:
        return reading.upload(self._quick, upload)

    async def tag_names(self, repository: str, after: str = "", limit: int = 1000) -> list[str]:
        return reading.tag_names(self._quick, repository, after, limit)

    async def repositories(self, after: str = "", limit: int = 1000) -> list[str]:
        return reading.repositories(self._quick, after, limit)

    async def linked_in(self, digest: str, after: str = "", limit: int = 100) -> list[str]:
        return reading.linked_in(self._quick, digest, after, limit)

    async def tags(self, repository: str, after: str = "", limit: int = 1000) -> list[Tag]:
        return await self._list(reading.tags, repository, after, limit)

    async def latest_tags(
        self, repository: str, containing: str = "", before: tuple[float, str] | None = None, limit: int = 50
    ) -> list[Tag]:
        return await self._list(reading.latest_tags, repository, containing, before, limit)

    async def tags_of(self, repository: str, digest: str, limit: int = 100) -> list[str]:
        return await self._list(reading.tags_of, repository, digest, limit)

    async def tag_history(self, repository: str, tag: str, limit: int = 100) -> list[TagEvent]:
        return await self._list(reading.tag_history, repository, tag, limit)

    async def summaries(self, containing: str = "", after: str = "", limit: int = 50) -> list[RepositorySummary]:
        return await self._list(reading.summaries, containing, after, limit)

    async def summary(self, repository: str) -> RepositorySummary | None:
        return await self._list(reading.summary, repository)

    async def totals(self) -> Totals:
        return await self._list(reading.totals)

    async def referrers(
        self, repository: str, subject: str, artifact_type: str = "", after: str = "", limit: int = 1000
    ) -> list[Referrer]:
        return await self._list(reading.referrers, repository, subject, artifact_type, after, limit)

    async def parents(self, repository: str, digest: str, limit: int = 100) -> list[tuple[str, str]]:
        return await self._list(reading.parents, repository, digest, limit)

    # Writing

    async def begin_upload(self, upload: str, repository: str, who: str) -> None:
        now = self._clock()
        await self._writer.do(lambda db: changes.begin_upload(db, upload, repository, who, now), durable=False)

    async def touch_upload(self, upload: str) -> None:
        now = self._clock()
        await self._writer.do(lambda db: changes.touch_upload(db, upload, now), durable=False)

    async def claim(self, upload: str, repository: str, who: str, digest: str, size: int) -> None:
        now = self._clock()
        await self._writer.do(lambda db: changes.claim(db, upload, repository, who, digest, size, now), durable=False)

    async def finish_upload(self, upload: str, repository: str, digest: str, size: int) -> None:
        now = self._clock()
        await self._writer.do(lambda db: changes.finish_upload(db, upload, repository, digest, size, now))

    async def cancel_upload(self, upload: str) -> bool:
        return await self._writer.do(lambda db: changes.cancel_upload(db, upload), durable=False)

    async def mount(self, repository: str, digest: str, source: str) -> bool:
        now = self._clock()
        return await self._writer.do(lambda db: changes.mount(db, repository, digest, source, now))

    async def put_manifest(
        self, repository: str, manifest: NewManifest, tags: Sequence[str], who: str, guard: TagGuard
    ) -> None:
        now = self._clock()
        await self._writer.do(lambda db: changes.put_manifest(db, repository, manifest, tags, who, guard, now))

    async def delete_tag(self, repository: str, tag: str, who: str) -> bool:
        now = self._clock()
        return await self._free(lambda db: changes.delete_tag(db, repository, tag, who, now))

    async def delete_manifest(self, repository: str, digest: str, who: str, spare: float) -> bool:
        now = self._clock()
        return await self._free(lambda db: changes.delete_manifest(db, repository, digest, who, spare, now))

    async def delete_blob(self, repository: str, digest: str) -> bool:
        now = self._clock()
        return await self._free(lambda db: changes.delete_blob(db, repository, digest, now))

    # Collecting

    async def drop_uploads(self, idle: float, limit: int = 100) -> list[str]:
        before = self._clock() - idle
        return await self._free(lambda db: collecting.drop_uploads(db, before, limit))

    async def drop_links(self, idle: float, limit: int = 500) -> int:
        before = self._clock() - idle
        return await self._free(lambda db: collecting.drop_links(db, before, limit))

    async def drop_blobs(self, idle: float, remove: RemoveBlobs, limit: int = 100) -> list[tuple[str, int]]:
        before = self._clock() - idle
        loop = asyncio.get_running_loop()

        def removed(digests: Sequence[str]) -> None:
            # Runs in the writer's thread, which waits inside its transaction until the loop has removed the bytes.
            asyncio.run_coroutine_threadsafe(_as_coroutine(remove, digests), loop).result()

        def change(db: sqlite3.Connection) -> list[tuple[str, int]]:
            return collecting.drop_blobs(db, before, limit, removed)

        gone = await self._free(change)
        self._ballast.take()
        return gone

    async def drop_repositories(self, idle: float, limit: int = 100) -> list[str]:
        before = self._clock() - idle
        return await self._free(lambda db: collecting.drop_repositories(db, before, limit))


async def _as_coroutine(remove: RemoveBlobs, digests: Sequence[str]) -> None:
    await remove(digests)
