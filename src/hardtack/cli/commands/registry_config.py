"""`tack registry config check|example`: what is wrong with a configuration, and what one looks like."""

from __future__ import annotations

from hardtack.cli.parse import STRING, Command, Flag
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hardtack.cli.parse import Args, Streams

_DEFAULT = "/etc/hardtack/registry.toml"


def _example(args: Args, streams: Streams) -> int:
    """Print a file with every option."""
    del args
    from hardtack.registry.config.writing import example

    streams.out.write(example())
    return 0


def _check(args: Args, streams: Streams) -> int:
    """Print what is in force, or fail with everything that is wrong."""
    try:
        from hardtack.registry.server.checking import check
    except ImportError as error:
        raise TackError(
            f"cannot check a configuration: the Python module {error.name} is missing", "Install hardtack[registry]"
        ) from error
    from hardtack.registry.config.loading import ConfigInvalid, load
    from hardtack.registry.config.writing import effective

    config = load(args.config)
    if problems := check(config):
        raise ConfigInvalid(args.config, problems)
    streams.out.write(effective(config))
    return 0


VERBS: dict[str, tuple[Command, Callable[[Args, Streams], int]]] = {
    "check": (
        Command(
            "[OPTIONS]",
            "Say everything that is wrong with a configuration, or what is in force",
            (Flag("config", "", STRING, "file", "The file", default=_DEFAULT),),
            most=0,
        ),
        _check,
    ),
    "example": (Command("", "Print a configuration with every option, commented", most=0), _example),
}
