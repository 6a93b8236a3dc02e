"""`tack registry serve`: run the registry in the foreground; say where it is, who may use it, where its data are."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, DURATION, INT, STRING, Command, Flag
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hardtack.cli.parse import Args, Streams
    from hardtack.registry.server.settings import Address, Settings

_PAUSE, _PAUSE_LEAST = 30.0, 0.2  # seconds between two rounds of the collector

COMMAND = Command(
    "[OPTIONS]",
    "Serve a registry over HTTP",
    (
        Flag("root", "", STRING, "directory", "Where the registry's data are kept (default: registry/ in tack's root)"),
        Flag("listen", "", STRING, "host:port", "Address to listen on", default="127.0.0.1:5000"),
        Flag("workers", "", INT, "number", "Processes that serve (default: one per processor, up to 8)"),
        Flag("open", "", BOOL, help="Let everybody who can reach the address push, pull and delete"),
        Flag("grace", "", DURATION, "duration", "Keep content that nothing needs for this long (default 15m)"),
        Flag("sparse", "", BOOL, help="Accept images whose layers are not in the repository"),
        Flag("log-level", "", STRING, "level", "What to log", default="warning", choices=("info", "warning", "error")),
    ),
    most=0,
)


def run(args: Args, streams: Streams) -> int:
    """Serve until told to stop."""
    try:
        from hardtack.registry.server.parent import serve
        from hardtack.registry.server.settings import parse_listen
    except ImportError as error:
        raise TackError(
            f"cannot serve a registry: the Python module {error.name} is missing", "Install hardtack[registry]"
        ) from error
    import logging

    logging.basicConfig(
        level=args.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s", stream=streams.err
    )
    settings = _settings(args, parse_listen(args.listen))
    return serve(settings, _announcer(settings, streams))


def _settings(args: Args, addresses: tuple[Address, ...]) -> Settings:
    from hardtack.cli.registry_root import registry_root
    from hardtack.registry.config.limits import Limits
    from hardtack.registry.server.settings import Settings, default_workers

    if "workers" in args.given and args.workers < 1:
        raise TackError("cannot serve with fewer than one worker")
    grace = args.grace if "grace" in args.given else Limits().grace
    limits = Limits(grace=grace, pause=min(_PAUSE, max(_PAUSE_LEAST, grace / 4)), sparse_images=args.sparse)
    return Settings(
        registry_root(args),
        addresses,
        args.workers or default_workers(),
        args.open,
        limits,
    )


def _announcer(settings: Settings, streams: Streams) -> Callable[[list[tuple[str, int]]], None]:
    def announce(places: list[tuple[str, int]]) -> None:
        streams.out.write(announcement(settings, places))
        streams.out.flush()

    return announce


def announcement(settings: Settings, places: list[tuple[str, int]]) -> str:
    """What is said at the start."""
    host, port = places[0]
    everywhere = host in ("0.0.0.0", "::")
    name = "localhost" if settings.on_loopback or everywhere else _bracketed(host)
    who = "everybody on this machine" if settings.on_loopback else "everybody who can reach it"
    lines = [
        f"The registry listens on {', '.join(f'{_bracketed(place)}:{number}' for place, number in places)}",
        f"  page     http://{name}:{port}/",
        f"  push     tack push {name}:{port}/NAME:TAG",
        f"  access   open: {who} can push, pull and delete, since no account exists",
        f"  data     {settings.root}",
        f"  workers  {settings.workers}, until ctrl-c or SIGTERM",
    ]
    return "\n".join(lines) + "\n"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
