"""Repositories as the pages, the JSON API and the command line see them: made, described, found, moved, deleted.

Who may do what is decided before, by `access.allowed`, except in lists, which show to a caller what they may pull from.
Every method that changes something is one transaction, or says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.errors import SettingInvalid
from hardtack.registry.metadata.changes import PRIVATE
from hardtack.registry.metadata.rows import LATEST
from hardtack.registry.names import check_repository
from hardtack.registry.repositories import finding, moving, preview, pulls, restoring, settings, why

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from hardtack.registry.access import Caller
    from hardtack.registry.metadata.database import Database
    from hardtack.registry.repositories.rows import Change, Details, Freed, Listed, Namespace, Pulled, Settings

_STEP = 500


class Repositories:
    """See the module.

    Args:
        visibility: of new repositories whose namespace says nothing; those under library/ are public.
    """

    def __init__(self, database: Database, visibility: str = PRIVATE) -> None:
        self._db = database
        self._visibility = visibility

    async def search(self, caller: Caller, containing: str = "", after: str = "", limit: int = 50) -> list[Listed]:
        """Repositories that the caller may pull from, with a text in their name or summary, by name after one."""
        return await self._db.browse(finding.search, caller, containing, after, limit)

    async def names(self, caller: Caller, after: str = "", limit: int = 1000) -> list[str]:
        """Names of repositories that the caller may pull from, in the order of their bytes."""
        return await self._db.browse(finding.names, caller, after, limit)

    async def details(self, name: str) -> Details:
        """Everything about one. Raises RepositoryUnknown."""
        return await self._db.browse(settings.details, name)

    async def create(self, name: str, who: str, said: Settings | None = None) -> None:
        """Make one that is empty. It stays until somebody deletes it.

        Raises:
            NameInvalid, RepositoryExists, SettingInvalid.
        """
        columns = {} if said is None else settings.checked(said)
        now = self._db.now()
        await self._db.write(settings.create, check_repository(name), columns, self._visibility, who, now)

    async def change(self, name: str, said: Settings) -> None:
        """Set what is given.

        Raises:
            RepositoryUnknown, SettingInvalid.
        """
        await self._db.write(settings.change, name, settings.checked(said))

    async def rename(self, name: str, to: str, who: str) -> None:
        """Give one another name, which may be in another namespace; needs the right to administer both names.

        Rights, webhooks and rules that name it do not follow. Uploads in progress to the old name end.

        Raises:
            RepositoryUnknown, NameInvalid, RepositoryExists, QuotaExceeded; SettingInvalid: it caches an upstream.
        """
        await self._db.write(moving.rename, name, check_repository(to), who, self._db.now())

    async def delete(self, name: str, who: str) -> None:
        """Delete one with all that is in it, for good; nothing of it can be brought back.

        It is gone at once. What it consisted of is taken apart in steps, by whoever gets to it first: this, or the
        collector should this be interrupted.

        Raises:
            RepositoryUnknown; TagImmutable: a tag in it may not be deleted.
        """
        await self._db.free(moving.doom, name, who, self._db.now())
        while await self.take_apart():
            pass

    async def take_apart(self) -> bool:
        """Do one step of what is left of deleted repositories. Returns whether there was something to do."""
        return await self._db.free(moving.take_apart, _STEP, self._db.now())

    async def freed_by(self, name: str, digests: Collection[str] | None = None) -> Freed:
        """What deleting these manifests, or the whole repository, would free."""
        if digests is None:
            return await self._db.browse(preview.of_repository, name)
        return await self._db.browse(preview.of_manifests, name, digests)

    async def why(self, digest: str, repository: str = "", limit: int = why.LIMIT) -> list[why.Chain]:
        """Every chain that keeps a content, in one repository or (for administrators) anywhere."""
        return await self._db.browse(why.why, digest, repository, limit)

    async def history(self, name: str, before: int = LATEST, limit: int = 100) -> list[Change]:
        """What became of its tags, latest first; `Metadata.tag_history` has that of one tag.

        Args:
            before: number of the change after which the page begins.
        """
        return await self._db.browse(restoring.history, name, before, limit)

    async def pulled(self, name: str, subjects: Sequence[str] = ("",)) -> dict[str, Pulled]:
        """How often tags, digests, or ("") the whole repository were pulled, and when last. Never pulled: left out."""
        return await self._db.browse(pulls.pulled, name, subjects)


class Namespaces:
    """What is set for namespaces, the first components of names."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def get(self, name: str) -> Namespace:
        """One, whether something is set for it or not."""
        return await self._db.browse(settings.namespace, name)

    async def all(self, after: str = "", limit: int = 100) -> list[Namespace]:
        """Those for which something is set, in the order of names."""
        return await self._db.browse(settings.namespaces, after, limit)

    async def set_quota(self, name: str, quota: int | None) -> None:
        """Say how many bytes its repositories may have together, each counted alone; None for any number.

        Raises:
            NameInvalid, SettingInvalid.
        """
        if quota is not None and not 0 <= quota < 1 << 62:
            raise SettingInvalid("a quota is a number of bytes, not negative")
        await self._db.write(settings.set_quota, _namespace(name), quota)

    async def set_visibility(self, name: str, visibility: str) -> None:
        """Say who may pull from repositories that will be made in it; "" for what is usual.

        Raises:
            NameInvalid, SettingInvalid.
        """
        if visibility:
            settings.check_visibility(visibility)
        await self._db.write(settings.set_visibility, _namespace(name), visibility)


def _namespace(name: str) -> str:
    if "/" in name:
        raise SettingInvalid("a namespace is the first component of a name, without slashes")
    return check_repository(name)
