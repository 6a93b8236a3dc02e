"""`tack registry fsck`: check everything that a registry holds, and repair it when asked, whether it serves or not."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, STRING, Command, Flag
from hardtack.cli.registry_root import WHERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hardtack.cli.parse import Args, Streams
    from hardtack.registry.maintenance.findings import Finding

COMMAND = Command(
    "[OPTIONS]",
    "Check a registry, and repair it",
    (
        *WHERE,
        Flag("deep", "", BOOL, help="Read every byte of every blob, not only its size"),
        Flag("format", "", STRING, help="Format output using a custom template: 'json' (one list) or a Go template"),
        Flag("repair", "", BOOL, help="Put right what can be, set damaged blobs aside, mark lost ones"),
    ),
    most=0,
    details="Exits with 0 when nothing is wrong or everything was repaired, with 1\n"
    "otherwise. A note is no damage: what a process that died left behind. What was\n"
    "lost comes back when it is pushed again.",
)


def run(args: Args, streams: Streams) -> int:
    """Check, print each finding as it is found, and count what is left to do."""
    import asyncio

    if not args.format:
        return asyncio.run(_tell(args, streams))
    from hardtack.cli.template import print_each, print_one

    found = asyncio.run(_collect(args))
    rows = [_row(finding) for finding in found]
    if args.format == "json":
        print_one("json", rows, streams)
    else:
        print_each(args.format, rows, streams)
    return 1 if any(map(_left, found)) else 0


async def _found(args: Args) -> AsyncIterator[Finding]:
    from hardtack.cli.registry_root import open_registry
    from hardtack.registry.maintenance.findings import Check
    from hardtack.registry.maintenance.fsck import fsck

    async with open_registry(args) as (database, blobs, config):
        check = Check(database, blobs, args.repair, args.deep, config.limits.sparse_images)
        async for finding in fsck(check):
            yield finding


async def _collect(args: Args) -> list[Finding]:
    return [finding async for finding in _found(args)]


async def _tell(args: Args, streams: Streams) -> int:
    from hardtack.registry.maintenance.findings import BEYOND_REPAIR

    found = []
    async for finding in _found(args):
        streams.out.write(_line(finding))
        found.append(finding)
    left = sum(map(_left, found))
    if all(finding.harmless for finding in found):
        streams.out.write("Nothing is wrong.\n")
    elif left:
        mendable = sum(_left(finding) and finding.kind not in BEYOND_REPAIR for finding in found)
        streams.out.write(_rest(left, 0 if args.repair else mendable))
    return 1 if left else 0


def _rest(left: int, mendable: int) -> str:
    """What is to be done about what is left, of which a repair can do something about some."""
    if mendable:
        return f"{mendable} to repair: run `tack registry fsck --repair`.\n"
    return f"{left} left, which no repair puts right: do what is said of each.\n"


def _left(finding: Finding) -> bool:
    return not finding.repaired and not finding.harmless


def _line(finding: Finding) -> str:
    mark = "repaired: " if finding.repaired else "note: " if finding.harmless else ""
    done = f"; {finding.done}" if finding.done else ""
    hint = f" {finding.hint}." if finding.hint and not finding.repaired else ""
    return f"{mark}{finding.kind} {finding.subject}: {finding.message}{done}.{hint}\n"


def _row(finding: Finding) -> dict[str, object]:
    return {
        "Kind": finding.kind,
        "Subject": finding.subject,
        "Message": finding.message,
        "Done": finding.done,
        "Hint": finding.hint,
        "Harmless": finding.harmless,
        "Repaired": finding.repaired,
    }
