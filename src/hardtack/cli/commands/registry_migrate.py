"""`tack registry migrate`: copy a registry from one kind of database and storage to another."""

from __future__ import annotations

from hardtack.cli.parse import STRING, Command, Flag, UsageError
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams
    from hardtack.registry.maintenance.backup import Report

COMMAND = Command(
    "[OPTIONS]",
    "Copy a registry to another database and storage",
    (
        Flag("from", "", STRING, "place", "The registry to copy: its folder, or its configuration"),
        Flag("to", "", STRING, "place", "Where to: an empty folder, or a configuration"),
    ),
    most=0,
    details="Between SQLite with files and PostgreSQL with S3, in either direction and any\n"
    "combination. No server that takes changes may run on the source meanwhile.\n"
    "Everything is verified, and the source is left as it is. When it is\n"
    "interrupted, the same command goes on.",
)


def run(args: Args, streams: Streams) -> int:
    """Copy, and say what arrived."""
    import asyncio

    from hardtack.cli.registry_places import summary

    source, target = getattr(args, "from"), args.to
    if not source or not target:
        raise UsageError("--from and --to are both needed", 1)
    report = asyncio.run(_migrate(source, target, streams))
    streams.out.write(f"Copied {summary(report)}.\n")
    return 0


async def _migrate(source: str, target: str, streams: Streams) -> Report:
    from hardtack.cli.registry_places import config_of, drawn, opened
    from hardtack.registry.maintenance.migrate import migrate

    here, there = config_of(source), config_of(target)
    if (here.data.root, here.metadata.url) == (there.data.root, there.metadata.url):
        raise TackError("the source and the target are the same registry")
    async with opened(here, source, new=False) as old, opened(there, target, new=True) as new:
        with drawn(streams) as progress:
            return await migrate(old, new, _name(source), _name(target), progress)


def _name(place: str) -> str:
    import os

    return os.path.abspath(place)
