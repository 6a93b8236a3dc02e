"""Published ports as people write them (-p, -P, --expose) and as docker's documents hold them.

Pure: texts become `Publish` values and these docker's PortBindings, both ways. Which host port is free, and whether it
may be had, is decided in `reserve`.
"""

from __future__ import annotations

from hardtack.network.errors import InvalidPort

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

PROTOCOLS = ("tcp", "udp", "sctp")
ANY = "0.0.0.0"  # what an empty host address means


class Publish:
    """One port of a container that is to be reached by one of the host's.

    Attributes:
        host_address: an address of the host; empty for all of them.
        first: the lowest host port that will do; 0 for any free one.
        last: the highest; equal to `first` unless a range was given for one container port.
    """

    __slots__ = ("container_port", "first", "host_address", "last", "protocol")

    def __init__(
        self, container_port: int, protocol: str = "tcp", first: int = 0, host_address: str = "", last: int = 0
    ) -> None:
        self.container_port = container_port
        self.protocol = protocol
        self.first = first
        self.last = last or first
        self.host_address = host_address

    def _key(self) -> tuple[object, ...]:
        return (self.container_port, self.protocol, self.first, self.last, self.host_address)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Publish) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"Publish{self._key()}"


class Port:
    """A port that is published: the host address as it is bound, "0.0.0.0" for all."""

    __slots__ = ("container_port", "host_address", "host_port", "protocol")

    def __init__(self, protocol: str, host_address: str, host_port: int, container_port: int) -> None:
        self.protocol = protocol
        self.host_address = host_address
        self.host_port = host_port
        self.container_port = container_port


def parse_publish(text: str) -> list[Publish]:
    """Read one value of -p: [[ADDRESS:][HOST PORTS]:]PORTS[/PROTOCOL], or published=…,target=…,protocol=….

    Returns:
        One entry for each container port.
    Raises:
        InvalidPort: with the reason; ranges that do not fit each other among them.

    Source: docker run reference, "Publish ports"; moby, daemon/pkg/opts and go-connections' nat.
    """
    if "=" in text:
        text = _from_fields(text)
    rest, protocol = _split_protocol(text)
    address, host, inside = _split_parts(text, rest)
    if not inside:
        raise InvalidPort(text, "no container port is given")
    low, high = _range(text, inside, "container port")
    if not host:
        return [Publish(port, protocol, 0, address) for port in range(low, high + 1)]
    first, last = _range(text, host, "host port", zero=True)
    if last - first != high - low:
        if low != high:
            raise InvalidPort(text, f"{inside} and {host} are ranges of different lengths")
        return [Publish(low, protocol, first, address, last)]
    return [Publish(low + step, protocol, first + step if first else 0, address) for step in range(high - low + 1)]


def parse_expose(text: str) -> list[str]:
    """Read one value of --expose or EXPOSE: a port or a range, with or without a protocol.

    Returns:
        Keys as docker's documents have them: "80/tcp".
    Raises:
        InvalidPort: with the reason.
    """
    rest, protocol = _split_protocol(text)
    if ":" in rest:
        raise InvalidPort(text, "an exposed port has no host side")
    low, high = _range(text, rest, "port")
    return [f"{port}/{protocol}" for port in range(low, high + 1)]


def to_bindings(publishes: Iterable[Publish]) -> dict[str, list[dict[str, str]]]:
    """The PortBindings of docker's HostConfig."""
    bindings: dict[str, list[dict[str, str]]] = {}
    for item in publishes:
        host = "" if not item.first else str(item.first) if item.first == item.last else f"{item.first}-{item.last}"
        entry = {"HostIp": item.host_address, "HostPort": host}
        entries = bindings.setdefault(f"{item.container_port}/{item.protocol}", [])
        if entry not in entries:
            entries.append(entry)
    return bindings


def from_bindings(bindings: Any, exposed: Iterable[str] = (), publish_all: bool = False) -> list[Publish]:
    """The other way: what a HostConfig asks for.

    Args:
        bindings: docker's PortBindings, which may come from outside; None for none.
        exposed: keys of ExposedPorts, of the image and of the container.
        publish_all: -P: every exposed port that has no binding gets any free host port.
    Raises:
        InvalidPort: a key or an entry is not what it should be.
    """
    found: list[Publish] = []
    if bindings is not None and not isinstance(bindings, dict):
        raise InvalidPort(str(bindings), "PortBindings is not an object")
    for key, entries in (bindings or {}).items():
        port, protocol = _key(key)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise InvalidPort(key, "its bindings are not a list of objects")
        for entry in entries or [{}]:
            address = _address(key, str(entry.get("HostIp") or ""))
            host = str(entry.get("HostPort") or "")
            first, last = _range(key, host, "host port", zero=True) if host else (0, 0)
            item = Publish(port, protocol, first, address, last)
            if item not in found:
                found.append(item)
    if publish_all:
        taken = {(item.container_port, item.protocol) for item in found}
        pairs = {_key(key) for key in exposed}
        found += [Publish(port, protocol) for port, protocol in sorted(pairs - taken)]
    return found


def shown(ports: Iterable[Port], exposed: Iterable[str] = ()) -> str:
    """The column PORTS of `ps`: "0.0.0.0:8080->80/tcp, 443/tcp"; neighbours are drawn together into ranges."""
    published = sorted(ports, key=lambda port: (port.protocol, port.host_address, port.container_port, port.host_port))
    words: list[tuple[int, str]] = []
    run: list[Port] = []
    for port in [*published, None]:
        if run and (port is None or not _follows(run[-1], port)):
            words.append((run[0].container_port, _shown_run(run)))
            run = []
        if port is not None:
            run.append(port)
    known = {f"{port.container_port}/{port.protocol}" for port in published}
    words += [(_key(key)[0], key) for key in exposed if key not in known]
    return ", ".join(word for _, word in sorted(words))


def joined(address: str, port: int) -> str:
    """An address and a port in one text, brackets around IPv6."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _follows(before: Port, after: Port) -> bool:
    return (
        (before.protocol, before.host_address) == (after.protocol, after.host_address)
        and after.container_port == before.container_port + 1
        and after.host_port == before.host_port + 1
    )


def _shown_run(run: list[Port]) -> str:
    first, last = run[0], run[-1]
    host, inside = str(first.host_port), str(first.container_port)
    if len(run) > 1:
        host, inside = f"{host}-{last.host_port}", f"{inside}-{last.container_port}"
    address = f"[{first.host_address}]" if ":" in first.host_address else first.host_address
    return f"{address}:{host}->{inside}/{first.protocol}"


def _from_fields(text: str) -> str:
    fields = {"protocol": "tcp", "published": "", "target": ""}
    for part in text.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals or name not in (*fields, "mode"):
            raise InvalidPort(text, f"{name} is not published, target or protocol")
        if name == "mode" and value not in ("host", "ingress"):
            raise InvalidPort(text, f"{value} is no mode")
        fields[name] = value
    return f"{fields['published']}:{fields['target']}/{fields['protocol']}"


def _split_protocol(text: str) -> tuple[str, str]:
    rest, slash, protocol = text.partition("/")
    protocol = protocol.lower() if slash else "tcp"
    if protocol not in PROTOCOLS:
        raise InvalidPort(text, f"{protocol or 'an empty word'} is no protocol; tcp, udp and sctp are")
    return rest, protocol


def _split_parts(text: str, rest: str) -> tuple[str, str, str]:
    """Address, host ports, container ports; what is not given is empty."""
    head, colon, inside = rest.rpartition(":")
    if not colon:
        return "", "", inside
    address, colon, host = head.rpartition(":")
    if not colon:
        return "", host, inside
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    elif ":" in address:
        raise InvalidPort(text, "an IPv6 address goes into brackets: [::1]:8080:80")
    if not address:
        raise InvalidPort(text, "the address before the first colon is empty")
    return _address(text, address), host, inside


def _address(text: str, address: str) -> str:
    if not address:
        return ""
    import _socket

    family = _socket.AF_INET6 if ":" in address else _socket.AF_INET
    try:
        return _socket.inet_ntop(family, _socket.inet_pton(family, address))
    except OSError:
        raise InvalidPort(text, f"{address} is no IP address") from None


def _range(text: str, ports: str, what: str, zero: bool = False) -> tuple[int, int]:
    low, dash, high = ports.partition("-")
    numbers = []
    for word in (low, high if dash else low):
        if not (word.isascii() and word.isdigit() and len(word) <= 5 and (zero or int(word)) and int(word) <= 65535):
            raise InvalidPort(text, f"invalid {what} {ports or '(empty)'}")
        numbers.append(int(word))
    if numbers[0] > numbers[1] or (numbers[1] and not numbers[0]):
        raise InvalidPort(text, f"invalid {what} {ports}: the range ends before it begins")
    return numbers[0], numbers[1]


def _key(key: str) -> tuple[int, str]:
    rest, protocol = _split_protocol(key)
    low, high = _range(key, rest, "container port")
    if low != high:
        raise InvalidPort(key, "one port is expected here")
    return low, protocol
