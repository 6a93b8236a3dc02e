"""`tack registry serve`: run the registry in the foreground; say where it is, who may use it, where its data are."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, DURATION, INT, STRING, Command, Flag
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hardtack.cli.parse import Args, Streams
    from hardtack.registry.config.document import Config
    from hardtack.registry.server.settings import Settings

LEVELS = ("debug", "info", "warning", "error")

_PAUSE_LEAST = 0.2  # seconds between two rounds of the collector

COMMAND = Command(
    "[OPTIONS]",
    "Serve a registry over HTTP or HTTPS",
    (
        Flag("config", "", STRING, "file", "Configuration file; flags win over it, SIGHUP has it read again"),
        Flag("root", "", STRING, "directory", "Where the registry's data are kept (default: registry/ in tack's root)"),
        Flag("listen", "", STRING, "host:port", "Address to listen on", default="127.0.0.1:5000"),
        Flag("tls-cert", "", STRING, "file", "Certificate in PEM, followed by its issuers"),
        Flag("tls-key", "", STRING, "file", "Private key of the certificate"),
        Flag("workers", "", INT, "number", "Processes that serve (default: one per processor, up to 8)"),
        Flag("accounts", "", BOOL, help="Ask who calls, on this machine too; any other address always does"),
        Flag("open", "", BOOL, help="Let everybody who can reach the address push, pull and delete"),
        Flag("read-only", "", BOOL, help="Refuse every change"),
        Flag("grace", "", DURATION, "duration", "Keep content that nothing needs for this long (default 15m)"),
        Flag("undelete", "", DURATION, "duration", "Keep deleted images for this long, to bring back (default 24h)"),
        Flag("sparse", "", BOOL, help="Accept images whose layers are not in the repository"),
        Flag("access-log", "", STRING, "file", "Write a line of JSON per request to a file, or to stderr"),
        Flag("log-level", "", STRING, "level", "What to log", default="warning", choices=LEVELS),
    ),
    most=0,
)


def run(args: Args, streams: Streams) -> int:
    """Serve until told to stop."""
    try:
        from hardtack.registry.server.logs import set_up
        from hardtack.registry.server.parent import serve
    except ImportError as error:
        raise TackError(
            f"cannot serve a registry: the Python module {error.name} is missing", "Install hardtack[registry]"
        ) from error
    settings = _settings(args)
    set_up(settings.config.server)
    return serve(settings, _announcer(streams), lambda: _settings(args))


def _settings(args: Args) -> Settings:
    """What the file and the flags say together. Raises TackError."""
    from hardtack.cli.registry_root import registry_config
    from hardtack.registry.config.document import problems_of
    from hardtack.registry.config.loading import ConfigInvalid
    from hardtack.registry.server.settings import Settings, listen_on

    if "workers" in args.given and args.workers < 1:
        raise TackError("cannot serve with fewer than one worker")
    config = _flagged(registry_config(args), args)
    if problems := problems_of(config):
        raise ConfigInvalid("the command line", problems)
    is_open = args.open or bool(args.config and config.access.mode == "open")
    if args.open and args.accounts:
        raise TackError("--open and --accounts are mutually exclusive")
    asked = args.accounts or bool(args.config and not is_open)
    return Settings(config, listen_on(config.server.listen), is_open, asked)


def _flagged(config: Config, args: Args) -> Config:
    """A configuration with what the flags say in its place."""
    import os
    from dataclasses import replace

    given = args.given
    server = {
        name: getattr(args, name) for name in ("workers", "read_only", "log_level") if name.replace("_", "-") in given
    }
    if "listen" in given:
        server["listen"] = (args.listen,)
    if "access-log" in given:
        log = args.access_log
        server["access_log"] = log if log in ("", "stderr") else os.path.abspath(log)
    tls = {
        key: os.path.abspath(value)
        for key, value, name in (("certificate", args.tls_cert, "tls-cert"), ("key", args.tls_key, "tls-key"))
        if name in given
    }
    limits = {"sparse_images": args.sparse} if "sparse" in given else {}
    if "grace" in given:
        limits.update(grace=args.grace, pause=min(config.limits.pause, max(_PAUSE_LEAST, args.grace / 4)))
    retention = {"undelete": args.undelete} if "undelete" in given else {}
    return replace(
        config,
        retention=replace(config.retention, **retention),
        server=replace(config.server, **server),
        tls=replace(config.tls, **tls),
        limits=replace(config.limits, **limits),
    )


def _announcer(streams: Streams) -> Callable[[Settings, list[tuple[str, int]], str], None]:
    def announce(settings: Settings, places: list[tuple[str, int]], password: str) -> None:
        streams.out.write(announcement(settings, places, password))
        streams.out.flush()

    return announce


def announcement(settings: Settings, places: list[tuple[str, int]], password: str = "") -> str:
    """What is said at the start."""
    from hardtack.registry.server.stores import described

    host, port = places[0]
    everywhere = host in ("0.0.0.0", "::")
    name = "localhost" if settings.on_loopback or everywhere else _bracketed(host)
    scheme = "https" if settings.config.tls.certificate else "http"
    url = settings.config.server.url.rstrip("/") or f"{scheme}://{name}:{port}"
    lines = [
        f"The registry listens on {', '.join(f'{_bracketed(place)}:{number}' for place, number in places)}",
        f"  page     {url}/",
        f"  push     tack push {url.partition('://')[2]}/NAME:TAG",
        f"  access   {_access(settings)}",
        f"  data     {described(settings.config)}",
        f"  workers  {settings.workers}, until ctrl-c or SIGTERM",
    ]
    if password:
        lines += [
            "This is its first start with accounts. Log in to its pages and choose a password, or set one by",
            "`tack registry user passwd admin`. This one is shown only now:",
            "  user      admin",
            f"  password  {password}",
        ]
    return "\n".join(lines) + "\n"


def _access(settings: Settings) -> str:
    what = "pull" if settings.config.server.read_only else "push, pull and delete"
    if settings.mode == "external":
        return f"with tokens of {settings.config.access.token_issuer}"
    if settings.mode == "accounts":
        return "with accounts: see `tack registry user --help`"
    who = "everybody on this machine" if settings.on_loopback else "everybody who can reach it"
    return f"open: {who} can {what}, since no account exists"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
