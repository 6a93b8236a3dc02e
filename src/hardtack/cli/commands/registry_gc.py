"""`tack registry gc`: one whole round of the collector, now, beside a server that runs; or what it would take."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, Command, Flag
from hardtack.cli.registry_root import WHERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams
    from hardtack.cli.registry_work import Work
    from hardtack.registry.collector import Freed

_PATIENCE = 60.0
_PAUSE = 0.2

COMMAND = Command(
    "[OPTIONS]",
    "Free the space of what a registry no longer needs",
    (
        *WHERE,
        Flag("dry-run", "", BOOL, help="Only say what would go"),
        Flag("forget-deleted", "", BOOL, help="Free also what could still be brought back"),
    ),
    most=0,
    details="A server does this by itself all the time. What became idle within the time of grace stays in any case.",
)


def run(args: Args, streams: Streams) -> int:
    """Collect, and print what went."""
    from dataclasses import replace

    from hardtack.cli.registry_work import on_registry
    from hardtack.cli.units import size

    async def work(registry: Work) -> str:
        if args.forget_deleted:
            config = registry.config
            registry = registry._replace(config=replace(config, retention=replace(config.retention, undelete=0.0)))
        if args.dry_run:
            return await _preview(registry)
        freed = await _collect(registry)
        return (
            f"{freed.uploads} abandoned uploads, {freed.graves} deleted images, "
            f"{freed.repositories} empty repositories and {freed.blobs} blobs are gone, "
            f"which freed {size(freed.size)}\n"
        )

    streams.out.write(on_registry(args, work))
    return 0


async def _preview(registry: Work) -> str:
    from hardtack.cli.units import size
    from hardtack.registry.repositories.preview import of_collection

    limits, kept, database = registry.config.limits, registry.config.retention.undelete, registry.database
    found = await database.browse(of_collection, database.now(), limits.grace, limits.upload_life, kept)
    return (
        f"{found.uploads} abandoned uploads, {found.graves} deleted images and {found.blobs} blobs would go, "
        f"which frees {size(found.size)}\n"
    )


async def _collect(registry: Work) -> Freed:
    """Do a round as soon as no other process does one."""
    import asyncio

    from hardtack.errors import TackError
    from hardtack.registry.collector import Collector

    waited = 0.0
    while waited < _PATIENCE:
        async with registry.database.alone("collector") as ours:
            if ours:
                return await Collector(registry.service).collect()
        await asyncio.sleep(_PAUSE)
        waited += _PAUSE
    raise TackError("the server is collecting at this moment, and has been for a while", "Try again later")
