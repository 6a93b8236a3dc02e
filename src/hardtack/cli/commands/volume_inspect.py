"""`tack volume inspect`: everything about volumes, as JSON or by a template."""

from __future__ import annotations

from hardtack.cli.parse import STRING, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.cli.parse import Args, Streams
    from hardtack.store.root import Root

COMMAND = Command(
    "[OPTIONS] VOLUME [VOLUME...]",
    "Display detailed information on one or more volumes",
    (Flag("format", "f", STRING, "string", "Format output using a custom template: 'json' or a Go template"),),
    least=1,
    operands="volume",
)


def document(root: Root, name: str) -> dict[str, Any]:
    """A volume as docker's API shows it.

    Raises:
        NoSuchVolume: there is none.
    """
    from hardtack.oci.moment import format_time
    from hardtack.volume.volumes import find, mountpoint

    volume = find(root.db, name)
    return {
        "CreatedAt": format_time(volume.created),
        "Driver": volume.driver,
        "Labels": volume.labels or None,
        "Mountpoint": mountpoint(root, volume.name),
        "Name": volume.name,
        "Options": volume.options or None,
        "Scope": "local",
    }


def run(args: Args, streams: Streams) -> int:
    """Print those that exist, then say which do not."""
    from hardtack.cli.inspection import show
    from hardtack.store.root import Root

    root = Root.open(args.root)
    return show(args.args, lambda name: document(root, name), args.format, streams)
