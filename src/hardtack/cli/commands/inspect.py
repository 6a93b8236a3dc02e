"""`tack inspect`: everything about containers, images, networks or volumes, as JSON or by a template."""

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
        Flag("type", "", STRING, help="Only inspect objects of the given type"),
    ),
    least=1,
)


class NoSuchObject(TackError):
    """Nothing of the wanted kind has this name."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"No such {kind or 'object'}: {name}")
        self.kind = kind
        self.name = name


def run(args: Args, streams: Streams) -> int:
    """Print what is found, then fail on what is not."""
    from hardtack.cli.inspection import show
    from hardtack.store.root import Root

    root = Root.open(args.root)
    kind = args.type or _kind_of_path(args.path)
    if kind and kind not in _KINDS:
        raise TackError(f'unknown type: "{kind}"', f"Known: {', '.join(_KINDS)}")
    return show(args.args, lambda name: _look(root, name, kind, args), args.format, streams)


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
    raise NoSuchObject(kind, name)


def _container(root: Root, name: str, args: Args) -> dict[str, Any] | None:
    from hardtack.container.current import current
    from hardtack.container.errors import NoSuchContainer
    from hardtack.container.inspect import inspect

    try:
        return inspect(root, current(root, name), args.size)
    except NoSuchContainer:
        return None


def _image(root: Root, name: str, args: Args) -> dict[str, Any] | None:
    from hardtack.image.inspect import inspect
    from hardtack.oci.platform import Platform
    from hardtack.store.errors import ImageUnknown

    try:
        return inspect(root, name, Platform.parse(args.platform) if args.platform else None)
    except ImageUnknown:
        return None


def _network(root: Root, name: str, _args: Args) -> dict[str, Any] | None:
    from hardtack.network.errors import NetworkUnknown
    from hardtack.network.settings import inspect_network

    try:
        return inspect_network(root, name)
    except NetworkUnknown:
        return None


def _volume(root: Root, name: str, _args: Args) -> dict[str, Any] | None:
    from hardtack.cli.commands.volume_inspect import document
    from hardtack.volume.errors import NoSuchVolume

    try:
        return document(root, name)
    except NoSuchVolume:
        return None


_KINDS: dict[str, Looking] = {"container": _container, "image": _image, "network": _network, "volume": _volume}
