"""`tack system reset`: throw one root's world away, with everything that it has on disk and in the kernel."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams
    from hardtack.container.reset import Reset

COMMAND = Command(
    "[OPTIONS]",
    "Throw away everything of this root",
    (Flag("force", "f", BOOL, help="Do not prompt for confirmation, and do not mind a pull or build at work"),),
    most=0,
    details="Stops and removes all containers, then deletes volumes, images, build cache, the bridge, the packet\n"
    "filter table, control groups and the run directory. The root's directory stays, empty.\n"
    "Other roots are not touched.",
)

_WARNING = """WARNING! This will remove from {path}:
  - all containers, after stopping those that run
  - all volumes, with the data in them
  - all images
  - all build cache
  - the bridge, the packet filter table and the control groups of this root
"""


def run(args: Args, streams: Streams) -> int:
    """Ask, throw away, and say what went."""
    import os

    from hardtack.cli.confirm import confirmed
    from hardtack.container.reset import reset
    from hardtack.store.root import Root, root_path

    path = root_path(args.root)
    if not os.path.exists(f"{path}/id"):
        streams.out.write(f"There is nothing at {path}.\n")
        return 0
    if not args.force and not confirmed(_WARNING.format(path=path), streams):
        return 0
    root = Root.open(path)
    done = reset(root, args.force)
    streams.out.write(_summary(done, root.id))
    if done.kept:
        streams.out.write(f"Not hardtack's, and still in {path}: {', '.join(done.kept)}\n")
    return 0


def _summary(done: Reset, ident: str) -> str:
    from hardtack.cli.units import size

    counts = (
        (done.containers, "container", "containers"),
        (done.volumes, "volume", "volumes"),
        (done.images, "image", "images"),
        (done.steps, "build cache entry", "build cache entries"),
    )
    words = ", ".join(f"{number} {one if number == 1 else many}" for number, one, many in counts)
    network = f"Removed the bridge tk-{ident} and the packet filter table hardtack_{ident}.\n" if done.network else ""
    return f"Removed {words}.\n{network}Total reclaimed space: {size(done.freed)}\n"
