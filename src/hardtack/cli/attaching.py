"""Watch a container from the terminal: shared by `run`, `start -a` and `attach`."""

from __future__ import annotations

from hardtack.container.client import DEFAULT_KEYS, DETACHED, Relay, parse_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Streams
    from hardtack.container.start import Session


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
