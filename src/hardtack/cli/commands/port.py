"""`tack port`: where the ports of a container are published."""

from __future__ import annotations

from hardtack.cli.parse import Command
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams

COMMAND = Command(
    "CONTAINER [PRIVATE_PORT[/PROTO]]",
    "List port mappings or a specific mapping for the container",
    least=1,
    most=2,
    operands="container",
)


class NotPublished(TackError):
    """The container has no such port, or it is not published."""

    def __init__(self, port: str, name: str) -> None:
        super().__init__(f"No public port '{port}' published for {name}", f"See `tack port {name}` for those that are")
        self.port = port


def run(args: Args, streams: Streams) -> int:
    """Print the host's side of each port."""
    from hardtack.container.row import find
    from hardtack.network.ports import joined, parse_expose
    from hardtack.network.published import published_by
    from hardtack.store.root import Root

    root = Root.open(args.root)
    ports = published_by(root.db, find(root, args.args[0]).id)
    if len(args.args) == 1:
        for port in ports:
            host = joined(port.host_address, port.host_port)
            streams.out.write(f"{port.container_port}/{port.protocol} -> {host}\n")
        return 0
    wanted = parse_expose(args.args[1])
    found = [port for port in ports if f"{port.container_port}/{port.protocol}" in wanted]
    if not found:
        raise NotPublished(wanted[0], args.args[0])
    for port in found:
        streams.out.write(f"{joined(port.host_address, port.host_port)}\n")
    return 0
