"""`tack import`: a root file system in a tarball becomes an image."""

from __future__ import annotations

from hardtack.cli.parse import LIST, STRING, Command, Flag
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
    "Import the contents from a tarball to create a filesystem image",
    (
        Flag("change", "c", LIST, "list", "Apply Dockerfile instruction to the created image"),
        Flag("message", "m", STRING, help="Set commit message for imported image"),
        Flag("platform", "", STRING, help="Set platform of the image (os/arch[/variant])"),
    ),
    least=1,
    most=2,
)


def run(args: Args, streams: Streams) -> int:
    """Import, and print the image's id."""
    from hardtack.cli.privilege import require_root
    from hardtack.oci.platform import Platform
    from hardtack.oci.reference import Reference
    from hardtack.store.root import Root

    name = Reference.parse(args.args[1]) if len(args.args) > 1 else None
    if name is not None and name.digest:
        raise TackError(f"cannot import as {args.args[1]}: a name with a digest cannot be given")
    platform = Platform.parse(args.platform) if args.platform else None
    require_root(f"import {args.args[0]}")
    from hardtack.image.importing import import_image

    origin = args.args[0]
    source, shown = _open(origin, streams)
    try:
        message = args.message or f"Imported from {shown}"
        ident = import_image(Root.open(args.root), source, name, args.change, message, platform)
    finally:
        if origin != "-":
            source.close()
    streams.out.write(f"{ident}\n")
    return 0


def _open(origin: str, streams: Streams) -> tuple[BinaryIO, str]:
    """Standard input, a web address, or a file; and what the image's history calls it."""
    if origin == "-":
        return streams.stdin.buffer, origin
    scheme, mark, _ = origin.partition("://")
    if not mark:
        return open(origin, "rb"), origin
    if scheme not in ("http", "https"):
        raise TackError(f"cannot import from {scheme}://…: only http and https addresses are fetched")
    from hardtack.image.web import Address

    address = Address(origin)
    return address.open(), address.shown
