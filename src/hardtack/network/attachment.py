"""What a start of a container has of the network, as a value, and which modes there are; every start imports it."""

from __future__ import annotations

from hardtack.network.errors import NetworkUnknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket

    from hardtack.network.bridge import Network
    from hardtack.network.ports import Port


class Attachment:
    """What one start of a container has of the network; gone with its process.

    Attributes:
        mode: bridge, host, none or container.
        target: in container mode, the name or id of the container whose namespace is shared.
        sockets: hold the published ports for this process; `close` lets them go.
        warnings: lines that a person should see.
    """

    __slots__ = (
        "address",
        "aliases",
        "container",
        "endpoint_id",
        "link",
        "mac",
        "mode",
        "network",
        "ports",
        "sockets",
        "stale_links",
        "stale_ports",
        "target",
        "warnings",
    )

    def __init__(self, container: str, mode: str, target: str = "") -> None:
        self.container = container
        self.mode = mode
        self.target = target
        self.network: Network | None = None
        self.endpoint_id = ""
        self.link = ""
        self.address = ""
        self.mac = ""
        self.aliases: list[str] = []
        self.ports: list[Port] = []
        self.sockets: list[socket] = []
        self.stale_links: list[str] = []
        self.stale_ports: list[Port] = []
        self.warnings: list[str] = []

    @property
    def gateway(self) -> str:
        """The address of the host on the container's network, empty without one."""
        return self.network.gateway if self.network is not None and self.address else ""

    @property
    def prefix(self) -> int:
        """Length of the network's prefix, 0 without one."""
        return self.network.subnet.prefix if self.network is not None and self.network.subnet is not None else 0

    def close(self) -> None:
        """Let the held ports go, in this process."""
        while self.sockets:
            self.sockets.pop().close()


def parse_mode(text: str) -> tuple[str, str]:
    """Read a value of --network.

    Returns:
        Mode and target: ("bridge", ""), ("host", ""), ("none", ""), ("container", "web").
    Raises:
        NetworkUnknown: it is none of these.
    """
    if text in ("", "default", "bridge"):
        return "bridge", ""
    if text in ("host", "none"):
        return text, ""
    kind, colon, target = text.partition(":")
    if kind == "container" and colon and target:
        return "container", target
    raise NetworkUnknown(text)
