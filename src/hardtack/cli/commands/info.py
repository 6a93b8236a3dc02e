"""`tack info`: what this host offers, what was chosen and why, and how much there is."""

from __future__ import annotations

from hardtack.cli.parse import STRING, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS]",
    "Show what this host offers and what was chosen",
    (Flag("format", "f", STRING, help="Format output using a custom template: 'json' or a Go template"),),
    most=0,
)

_LABELS = (
    ("Containers", "Containers"),
    ("ContainersRunning", " Running"),
    ("ContainersPaused", " Paused"),
    ("ContainersStopped", " Stopped"),
    ("Images", "Images"),
    ("ServerVersion", "Version"),
    ("DockerRootDir", "Root"),
    ("RunDir", "Run Directory"),
    ("RootId", "Root Id"),
    ("Driver", "Layers"),
    ("DriverReason", " Because"),
    ("DefaultRuntime", "OCI Runtime"),
    ("RuntimePath", " Path"),
    ("RuntimeReason", " Because"),
    ("CgroupVersion", "Control Groups"),
    ("LoggingDriver", "Logging Driver"),
    ("KernelVersion", "Kernel Version"),
    ("OSType", "OS"),
    ("Architecture", "Architecture"),
    ("NCPU", "CPUs"),
    ("MemTotal", "Total Memory"),
    ("Name", "Name"),
)


def run(args: Args, streams: Streams) -> int:
    """Print it."""
    from hardtack.container.information import information
    from hardtack.store.root import Root

    facts = information(Root.open(args.root))
    if args.format:
        from hardtack.cli.template import print_one

        print_one(args.format, facts, streams)
        return 0
    from hardtack.cli.units import memory

    shown = {**facts, "MemTotal": memory(facts["MemTotal"])}
    for key, label in _LABELS:
        streams.out.write(f"{label}: {shown[key]}\n")
    for warning in facts["Warnings"]:
        streams.err.write(f"WARNING: {warning}\n")
    return 0
