"""`tack registry restore`: an empty registry gets what a backup holds."""

from __future__ import annotations

from hardtack.cli.parse import Command
from hardtack.cli.registry_root import WHERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams
    from hardtack.registry.maintenance.backup import Report

COMMAND = Command(
    "[OPTIONS] SOURCE",
    "Fill an empty registry from a backup",
    WHERE,
    least=1,
    most=1,
    operands="file",
    details="SOURCE is the folder of a backup, or - for a tar stream on the standard input.\n"
    "Everything is verified. A registry serves only when all of it has arrived; when\n"
    "that is interrupted, the same command goes on.",
)


def run(args: Args, streams: Streams) -> int:
    """Restore, and say what arrived."""
    import asyncio

    from hardtack.cli.registry_places import summary

    report = asyncio.run(_restore(args, args.args[0], streams))
    streams.out.write(f"Restored {summary(report)}.\n")
    return 0


async def _restore(args: Args, source: str, streams: Streams) -> Report:
    import os

    from hardtack.cli.registry_places import drawn, opened
    from hardtack.cli.registry_root import registry_config
    from hardtack.registry.maintenance.restore import restore, restore_stream

    config = registry_config(args)
    which = args.config or config.data.root
    if source != "-":
        from hardtack.registry.maintenance.folder import BackupFolder

        async with BackupFolder.reading(os.path.abspath(source)):
            pass  # before the target is made
    async with opened(config, which, new=True) as (database, blobs):
        if source != "-":
            with drawn(streams) as progress:
                return await restore(source, database, blobs, which, progress)
        spool = f"{config.data.root}/restore"
        return await restore_stream(streams.stdin.buffer, spool, database, blobs, which)
