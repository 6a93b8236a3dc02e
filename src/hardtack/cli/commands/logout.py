"""`tack logout`: forget the credentials of a registry."""

from __future__ import annotations

from hardtack.cli.parse import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command("[SERVER]", "Log out from a registry", most=1, details="Without a server, Docker Hub is meant.")


def run(args: Args, streams: Streams) -> int:
    """Erase what is kept; nothing to erase is no failure, as with docker."""
    from hardtack.remote.credentials import Credentials, server_key
    from hardtack.remote.login import registry_of

    host = registry_of(args.args[0] if args.args else "")
    shown = server_key(host)
    if Credentials().erase(host):
        streams.out.write(f"Removing login credentials for {shown}\n")
    else:
        streams.out.write(f"Not logged in to {shown}\n")
    return 0
