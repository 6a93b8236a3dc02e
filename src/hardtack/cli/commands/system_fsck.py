"""`tack system fsck`: check every byte and every row of the store, and repair it when asked."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, STRING, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams
    from hardtack.store.fsck import Finding

COMMAND = Command(
    "[OPTIONS]",
    "Check the store, and repair it",
    (
        Flag("format", "", STRING, help="Format output using a custom template: 'json' (one list) or a Go template"),
        Flag("quick", "", BOOL, help="Look at names and sizes only, not at every byte"),
        Flag("repair", "", BOOL, help="Move damaged content aside and drop what leads nowhere"),
    ),
    most=0,
    details="Exits with 0 when nothing is wrong or everything was repaired, with 1 otherwise. A note is no damage:\n"
    "what a process that died left behind, which the next collection sweeps.",
)


def run(args: Args, streams: Streams) -> int:
    """Check, print each finding, and count what is left to do."""
    from hardtack.store.fsck import fsck
    from hardtack.store.root import Root

    found = fsck(Root.open(args.root), args.repair, args.quick)
    left = sum(not finding.repaired and not finding.harmless for finding in found)
    if args.format:
        from hardtack.cli.template import print_each, print_one

        rows = [_row(finding) for finding in found]
        if args.format == "json":
            print_one("json", rows, streams)
        else:
            print_each(args.format, rows, streams)
        return 1 if left else 0
    for finding in found:
        streams.out.write(_line(finding))
    if not any(not finding.harmless for finding in found):
        streams.out.write("Nothing is wrong.\n")
    elif left:
        streams.out.write(f"{left} left.\n" if args.repair else f"{left} to repair: run `tack system fsck --repair`.\n")
    return 1 if left else 0


def _line(finding: Finding) -> str:
    mark = "repaired: " if finding.repaired else "note: " if finding.harmless else ""
    hint = f" {finding.hint}." if finding.hint and not finding.repaired else ""
    return f"{mark}{finding.kind} {finding.subject}: {finding.message}.{hint}\n"


def _row(finding: Finding) -> dict[str, object]:
    return {
        "Kind": finding.kind,
        "Subject": finding.subject,
        "Message": finding.message,
        "Hint": finding.hint,
        "Harmless": finding.harmless,
        "Repaired": finding.repaired,
    }
