"""`tack login`: try credentials out at a registry, then keep them where docker keeps them."""

from __future__ import annotations

from hardtack.cli.parse import BOOL, STRING, Command, Flag
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams
    from hardtack.remote.credentials import Credential, Credentials

COMMAND = Command(
    "[OPTIONS] [SERVER]",
    "Log in to a registry",
    (
        Flag("password", "p", STRING, help="Password or personal access token"),
        Flag("password-stdin", "", BOOL, help="Take the password from stdin"),
        Flag("username", "u", STRING, help="Username"),
    ),
    most=1,
    details="Without a server, Docker Hub is meant.",
)
_LONGEST = 1 << 20


def run(args: Args, streams: Streams) -> int:
    """Find out who somebody is, ask the registry, keep it."""
    from hardtack.remote.credentials import Credential, Credentials
    from hardtack.remote.login import LoginFailed, login, registry_of

    host = registry_of(args.args[0] if args.args else "")
    username, password = _given(args, streams)
    store = Credentials()
    if not username and not password and _again(host, store, streams):
        return 0
    username = username or _ask("Username: ", streams)
    password = password or _ask("Password: ", streams, secret=True)
    if not username or not password:
        raise LoginFailed(host, TackError("a name and a password are needed"))
    where = login(host, Credential(username, password), store)
    if where == store.path:
        streams.err.write(f"WARNING! Your credentials are stored unencrypted in '{where}'.\n")
    streams.out.write("Login Succeeded\n")
    return 0


def _given(args: Args, streams: Streams) -> tuple[str, str]:
    """The name and password of the command line; what docker refuses is refused."""
    if args.password and args.password_stdin:
        raise TackError("--password and --password-stdin are mutually exclusive")
    if not args.password_stdin:
        if args.password:
            streams.err.write("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n")
        return args.username, args.password
    if not args.username:
        raise TackError("must provide --username with --password-stdin")
    # Bytes that are no UTF-8 are some people's passwords; they go to the registry as they are.
    return args.username, streams.stdin.buffer.read(_LONGEST).decode("utf-8", "surrogateescape").rstrip("\r\n")


def _again(host: str, store: Credentials, streams: Streams) -> bool:
    """Log in with what is kept already, if there is something and it still works."""
    from hardtack.remote.login import LoginFailed, login

    known: Credential = store.find(host)
    if not known:
        return False
    streams.err.write("Authenticating with existing credentials...\n")
    try:
        login(host, known, store)
    except LoginFailed as error:
        if not streams.in_is_terminal:
            raise
        streams.err.write(f"Login did not succeed, {error}\n")
        return False
    streams.out.write("Login Succeeded\n")
    return True


def _ask(prompt: str, streams: Streams, secret: bool = False) -> str:
    if not streams.in_is_terminal:
        raise TackError(
            "cannot perform an interactive login from a non TTY device", "Use --username and --password-stdin"
        )
    streams.out.flush()
    if secret:
        import getpass

        try:
            return getpass.getpass(prompt)
        except EOFError:
            streams.err.write("\n")
            return ""
    streams.err.write(prompt)
    streams.err.flush()
    return streams.stdin.readline().strip()
