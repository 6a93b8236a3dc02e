"""What can go wrong between a container and its network, each with its facts as attributes."""

from __future__ import annotations

from hardtack.errors import TackError


class NetworkError(TackError):
    """The root of the network's failures."""

    exit_code = 125


class InvalidPort(NetworkError):
    """A port specification cannot be understood."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(f"cannot publish {text}: {why}", "A form that works is -p 127.0.0.1:8080:80/tcp")
        self.text = text
        self.why = why


class PortAllocated(NetworkError):
    """Another container, or another program of this host, has the port.

    Attributes:
        container: id of the container that has it; empty when it is not one of ours.
    """

    def __init__(self, address: str, port: int, protocol: str = "tcp", container: str = "") -> None:
        shown = f"[{address}]" if ":" in address else address
        holder = f"container {container[:12]} has it" if container else "another program of this host has it"
        super().__init__(
            f"Bind for {shown}:{port} failed: port is already allocated",
            f"Choose another port, or free it: {holder}",
        )
        self.address = address
        self.port = port
        self.protocol = protocol
        self.container = container


class NoFreePort(NetworkError):
    """Every port that might be taken is taken."""

    def __init__(self, first: int, last: int, protocol: str) -> None:
        super().__init__(
            f"cannot publish on any {protocol} port from {first} to {last}: all are allocated",
            "Give a wider range, or stop what uses them",
        )
        self.first = first
        self.last = last


class AddressUnusable(NetworkError):
    """Ports cannot be published on this host address."""

    def __init__(self, address: str, why: str, hint: str) -> None:
        super().__init__(f"cannot publish on {address}: {why}", hint)
        self.address = address


class NetworkUnknown(NetworkError):
    """No network has this name or id."""

    exit_code = 125

    def __init__(self, name: str) -> None:
        super().__init__(f"network {name} not found", "See `tack network ls` for those there are")
        self.name = name


class NoPool(NetworkError):
    """Every range of addresses that we might use is routed by the host already."""

    def __init__(self) -> None:
        super().__init__(
            "cannot find addresses for the bridge: this host routes every private range that could serve",
            "Remove a route, or run with --network host or none",
        )


class AddressesExhausted(NetworkError):
    """A network's range has no free address left."""

    def __init__(self, network: str, subnet: str) -> None:
        super().__init__(
            f"cannot attach to network {network}: no free address in {subnet}", "Remove containers that are not needed"
        )
        self.network = network
        self.subnet = subnet


class SetupFailed(NetworkError):
    """The kernel refused a part of a container's network; what had been made was undone."""

    def __init__(self, what: str, why: str, hint: str = "") -> None:
        super().__init__(f"cannot {what}: {why}", hint)
        self.what = what
