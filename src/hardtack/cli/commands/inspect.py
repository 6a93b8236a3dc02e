"""`tack inspect`: everything about containers, images, volumes or networks, as JSON or by a template."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, STRING, Command, Flag
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hardtack.cli.parse import Args, Streams
    from hardtack.store.root import Root

    Looking = Callable[[Root, str, Args], dict[str, Any] | None]

COMMAND = Command(
    "[OPTIONS] NAME|ID [NAME|ID...]",
    "Show everything about containers, images, volumes or networks",
    (
        Flag("format", "f", STRING, help="Format output using a custom template: 'json' or a Go template"),
        Flag("platform", "", STRING, help="Inspect a specific platform of a multi-platform image"),
        Flag("size", "s", BOOL, help="Display total file sizes if the type is container"),
        Flag("type", "", STRING, help="Only inspect objects of the given type", choices=("image",)),
    ),
    least=1,
)


def run(args: Args, streams: Streams) -> int:
    """Print what is found, then fail on what is not."""
    from hardtack.cli.several import each, finish
    from hardtack.store.root import Root

    root = Root.open(args.root)
    kind = args.type or _kind_of_path(args.path)
    found: list[dict[str, Any]] = []
    failures = each(args.args, lambda name: found.append(_look(root, name, kind, args)), streams)
    _print(found, args.format, streams)
    streams.out.flush()
    return finish(failures, streams)


def _kind_of_path(path: str) -> str:
    """`tack image inspect` looks for images only."""
    words = path.split()
    return words[-2] if len(words) > 2 else ""


def _look(root: Root, name: str, kind: str, args: Args) -> dict[str, Any]:
    for known, look in _KINDS.items():
        if kind in ("", known):
            value = look(root, name, args)
            if value is not None:
                return value
    raise TackError(f"No such {kind or 'object'}: {name}")


def _image(root: Root, name: str, args: Args) -> dict[str, Any] | None:
    from hardtack.image.inspect import inspect
    from hardtack.oci.platform import Platform
    from hardtack.store.errors import ImageUnknown

    try:
        return inspect(root, name, Platform.parse(args.platform) if args.platform else None)
    except ImageUnknown:
        return None


_KINDS: dict[str, Looking] = {"image": _image}


def _print(found: list[dict[str, Any]], chosen: str, streams: Streams) -> None:
    if chosen:
        from hardtack.cli.template import print_each

        print_each(chosen, found, streams)
        return
    from hardtack.jsontext import dumps

    streams.out.write(dumps(found, indent=4) + "\n")
