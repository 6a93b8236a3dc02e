"""What was deleted and can be brought back, for as long as the configuration says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.errors import NotBuried
from hardtack.registry.metadata import graves
from hardtack.registry.repositories import pointing, restoring

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hardtack.registry.metadata.database import Database
    from hardtack.registry.metadata.graves import Grave
    from hardtack.registry.repositories.pointing import Past
    from hardtack.registry.repositories.rows import Change, Restored


class Undelete:
    """See the module.

    Args:
        kept: for how many seconds; 0 for not at all.
    """

    def __init__(self, database: Database, kept: float) -> None:
        self._db = database
        self._kept = kept

    async def graves(self, repository: str, before: tuple[float, int] | None = None, limit: int = 100) -> list[Grave]:
        """Deleted manifests of a repository, last deleted first.

        Args:
            before: moment and number of the one after which the page begins.
        """
        since = self._db.now() - self._kept
        found = await self._db.browse(graves.graves, repository, before, limit)
        return [grave for grave in found if grave.deleted >= since]

    async def restore(self, repository: str, reference: str, who: str) -> Restored:
        """Bring back a manifest (with its images, its referrers, and its tags whose names are free), or a tag.

        Raises:
            RepositoryUnknown, QuotaExceeded; NotBuried: it was not deleted, or too long ago.
        """
        if not self._kept:
            raise NotBuried(repository, reference)
        now = self._db.now()
        if ":" in reference:
            return await self._db.write(restoring.restore, repository, reference, who, now - self._kept, now)
        return await self._db.write(restoring.restore_tag, repository, reference, who, now - self._kept, now)

    async def point(self, repository: str, tag: str, digest: str, who: str, buried: bool) -> None:
        """Let a tag point again at what it has pointed to, deleted or not; only with `buried` what was deleted.

        Raises:
            RepositoryUnknown, TagImmutable, QuotaExceeded; NotBuried: it never did, or what it did is gone for good.
        """
        now = self._db.now()
        await self._db.write(pointing.point_again, repository, tag, digest, who, now - self._kept, buried, now)

    async def past(self, repository: str, changes: Sequence[Change]) -> Past:
        """Of changes of tags, what is left of it, and for which `point` would do something."""
        pairs = {(change.tag, change.digest) for change in changes if change.digest}
        return await self._db.browse(pointing.past, repository, pairs, self._db.now() - self._kept)

    async def forget(self, repository: str, digest: str) -> None:
        """Make a deleted manifest impossible to bring back, and let its space go.

        Raises:
            RepositoryUnknown, NotBuried.
        """
        await self._db.free(restoring.forget, repository, digest, self._db.now())

    async def expire(self, limit: int = 100) -> int:
        """Forget what was deleted too long ago. Returns how much that was; 0 when there is no more."""
        return await self._db.free(graves.drop_graves, self._db.now() - self._kept, limit)
