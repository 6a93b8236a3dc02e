"""What the commands about a registry's repositories share: opening it, who does it, writing down what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hardtack.cli.parse import Args
    from hardtack.registry.blobs.interface import Blobs
    from hardtack.registry.config.document import Config
    from hardtack.registry.metadata.database import Database
    from hardtack.registry.repositories.store import Namespaces, Repositories
    from hardtack.registry.repositories.undelete import Undelete
    from hardtack.registry.retention.keeper import Retention
    from hardtack.registry.service import Service

T = TypeVar("T")


class Work(NamedTuple):
    """An open registry, and who works on it."""

    database: Database
    blobs: Blobs
    config: Config
    who: str

    @property
    def repositories(self) -> Repositories:
        """Its repositories."""
        from hardtack.registry.repositories.store import Repositories

        return Repositories(self.database, self.config.access.default_visibility)

    @property
    def namespaces(self) -> Namespaces:
        """Its namespaces."""
        from hardtack.registry.repositories.store import Namespaces

        return Namespaces(self.database)

    @property
    def undelete(self) -> Undelete:
        """What was deleted in it."""
        from hardtack.registry.repositories.undelete import Undelete

        return Undelete(self.database, self.config.retention.undelete)

    @property
    def retention(self) -> Retention:
        """Its rules of retention."""
        from hardtack.registry.retention.keeper import Retention

        return Retention(self.database, self.config)

    @property
    def service(self) -> Service:
        """It as the collector sees it."""
        from hardtack.registry.access import OpenGate
        from hardtack.registry.metadata.store import Metadata
        from hardtack.registry.service import Service

        database = self.database
        return Service(database, Metadata(database), self.blobs, OpenGate(), self.config.limits, self.config)

    async def note(self, action: str, target: str, detail: str = "") -> None:
        """Write into the audit log what was done."""
        from hardtack.registry.events.audit import audit

        await self.database.write(audit, self.who, "", action, target, detail, self.database.now())


def on_registry(args: Args, work: Callable[[Work], Awaitable[T]]) -> T:
    """Do something with the registry that a command names, whether it is served at the moment or not."""
    import asyncio

    async def run() -> T:
        from hardtack.cli.accounts import user_name
        from hardtack.cli.registry_root import open_registry
        from hardtack.registry.promises import at_least

        async with open_registry(args) as (database, blobs, said):
            config = await database.read(at_least, said)
            return await work(Work(database, blobs, config, f"shell:{user_name()}"))

    return asyncio.run(run())
