"""`tack registry backup`: copy a registry while it serves, to a folder or as a stream."""

from __future__ import annotations

from hardtack.cli.parse import Command
from hardtack.cli.registry_root import WHERE
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams
    from hardtack.registry.maintenance.backup import Report

COMMAND = Command(
    "[OPTIONS] TARGET",
    "Back a registry up while it serves",
    WHERE,
    least=1,
    most=1,
    operands="file",
    details="TARGET is a folder, new or that of an earlier backup, of which only what is\n"
    "new gets copied; or - for a tar stream on the standard output. It holds\n"
    "everything, hashes of passwords and signing keys included: keep it as safe as\n"
    "the registry itself.",
)


def run(args: Args, streams: Streams) -> int:
    """Back up, and say what is in the backup."""
    import asyncio

    from hardtack.cli.registry_places import summary

    target = args.args[0]
    if target == "-" and streams.out_is_terminal:
        raise TackError("cannot write a backup to a terminal", "Redirect the output, or name a folder")
    report = asyncio.run(_back_up(args, target, streams))
    to = streams.err if target == "-" else streams.out
    to.write(f"Backed up {summary(report)}.\n")
    return 0


async def _back_up(args: Args, target: str, streams: Streams) -> Report:
    import uuid

    from hardtack.cli.registry_places import drawn
    from hardtack.cli.registry_root import open_registry

    async with open_registry(args) as (database, blobs, _):
        if target != "-":
            from hardtack.registry.maintenance.backup import back_up

            with drawn(streams) as progress:
                return await back_up(database, blobs, target, progress)
        from hardtack.registry.maintenance.stream import back_up_to_stream

        return await back_up_to_stream(database, blobs, streams.out.buffer, uuid.uuid4().hex)
