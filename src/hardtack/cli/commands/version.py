"""`tack version`: which hardtack this is, and what it runs on."""

from __future__ import annotations

import sys

import hardtack
from hardtack.cli.parse import BOOL, STRING, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

API_VERSION = "1.47"

COMMAND = Command(
    "[OPTIONS]",
    "Show the version",
    (
        Flag("format", "f", STRING, help="Format output using a custom template: 'json' or a Go template"),
        Flag("short", "", BOOL, help="Only the line that --version prints", hidden=True),
    ),
    most=0,
)


def facts() -> dict[str, str]:
    """Version of hardtack, of Python and of the kernel, and the platform."""
    import posix

    from hardtack.oci.platform import host

    system = posix.uname()
    return {
        "Version": hardtack.__version__,
        "Python": sys.version.split()[0],
        "Os": host().os,
        "Arch": host().architecture,
        "KernelVersion": system.release,
    }


def run(args: Args, streams: Streams) -> int:
    """Print the version."""
    if args.short:
        streams.out.write(f"tack version {hardtack.__version__}\n")
        return 0
    known = facts()
    if args.format:
        from hardtack.cli.template import print_one

        # docker's clients ask for {{.Server.Version}} and {{.Client.Version}}; here both are this program
        print_one(args.format, {**known, "Client": known, "Server": known}, streams)
        return 0
    labels = {"Os": "OS", "Arch": "Architecture", "KernelVersion": "Kernel"}
    streams.out.write("tack\n")
    for key, value in known.items():
        streams.out.write(f" {labels.get(key, key) + ':':<14}{value}\n")
    return 0
