"""Watch a container from the terminal: shared by `run`, `start -a` and `attach`."""

from __future__ import annotations

from hardtack.container.client import DETACHED, Relay, attach
from hardtack.container.keys import DEFAULT_KEYS, parse_keys
from hardtack.container.row import Paths
from hardtack.container.start import Session
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Streams
    from hardtack.container.row import Container
    from hardtack.store.root import Root


def follow(session: Session, stdin: bool, terminal: bool, keys: str, proxy: bool, streams: Streams) -> int:
    """Relay until the container ends or the detach keys are typed. Returns the exit code of the command.

    Args:
        keys: the value of --detach-keys, or "" for ctrl-p ctrl-q.
        proxy: whether signals go to the container's process.
    """
    streams.out.flush()
    relay = Relay(
        session.socket, session.container.id, stdin, terminal, parse_keys(keys or DEFAULT_KEYS), session.reader
    )
    code = relay.run(session.early, session.pid, proxy)
    if code == DETACHED:
        streams.err.write("read escape sequence\n")
        return 0
    return code


def check_terminal(stdin: bool, terminal: bool) -> None:
    """Refuse to type into a terminal from something that is none, in docker's words.

    Raises:
        TackError: standard input is no terminal.
    """
    if not (stdin and terminal):
        return
    from hardtack.linux.tty import is_terminal

    if not is_terminal(0):
        raise TackError("the input device is not a TTY")


def follow_running(root: Root, container: Container, stdin: bool, keys: str, proxy: bool, streams: Streams) -> int:
    """Attach to a container that runs already; see `follow`."""
    wants = frozenset(("stdout", "stderr", "stdin") if stdin else ("stdout", "stderr"))
    connection, reader, early = attach(Paths(root, container.id).run, container.id, wants)
    session = Session(container, connection)
    session.reader, session.early, session.pid = reader, early, container.pid
    return follow(session, stdin, container.config.get("Tty", False), keys, proxy, streams)
