"""The three files that name things inside a container: hosts, resolv.conf, hostname.

Pure: what the host has is given as text. Nameservers on a loopback address are left out, because inside the container
that address is the container.
"""

from __future__ import annotations

from hardtack.network.errors import NetworkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

HOST_GATEWAY = "host-gateway"
"""In --add-host: the address by which a container reaches its host."""

RESOLVED_STUB = "127.0.0.53"
RESOLVED_FILE = "/run/systemd/resolve/resolv.conf"
"""Where systemd-resolved lists the real nameservers behind its stub. Source: systemd-resolved.service(8)."""

FALLBACK_NAMESERVERS = ("8.8.8.8", "8.8.4.4")
"""What docker uses when the host names none that a container could reach."""

_STANDARD = (
    ("127.0.0.1", "localhost"),
    ("::1", "localhost ip6-localhost ip6-loopback"),
    ("fe00::", "ip6-localnet"),
    ("ff00::", "ip6-mcastprefix"),
    ("ff02::1", "ip6-allnodes"),
    ("ff02::2", "ip6-allrouters"),
)


class InvalidHost(NetworkError):
    """A value of --add-host, --dns or their like cannot be used."""

    def __init__(self, option: str, text: str, why: str, form: str) -> None:
        super().__init__(f"cannot use {option} {text}: {why}", f"The form is {form}")
        self.option = option
        self.text = text


def parse_extra_host(text: str) -> tuple[str, str]:
    """Read one value of --add-host: NAME:ADDRESS or NAME=ADDRESS, brackets around IPv6 allowed, or host-gateway.

    Returns:
        Name and address; the address may be `HOST_GATEWAY`.
    Raises:
        InvalidHost: with the reason.
    """
    form = "--add-host name:address, with host-gateway for the host itself"
    colon, equals = text.find(":"), text.find("=")
    cut = equals if equals >= 0 and (colon < 0 or equals < colon) else colon
    if cut <= 0:
        raise InvalidHost("--add-host", text, "a name and an address are needed", form)
    name, address = text[:cut], text[cut + 1 :]
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    if address != HOST_GATEWAY and not is_address(address):
        raise InvalidHost("--add-host", text, f"{address or 'nothing'} is no IP address", form)
    if not all(character.isalnum() or character in "-._" for character in name):
        raise InvalidHost("--add-host", text, f"{name} is no host name", form)
    return name, address


def check_nameserver(text: str) -> str:
    """Read one value of --dns.

    Raises:
        InvalidHost: it is no IP address.
    """
    if not is_address(text):
        raise InvalidHost("--dns", text, "it is no IP address", "--dns 192.0.2.53")
    return text


def hosts(names: Iterable[tuple[str, str]], extra: Iterable[tuple[str, str]] = (), gateway: str = "") -> str:
    """The text of /etc/hosts for a container with a network of its own.

    Args:
        names: address and names of the container itself, "172.20.0.2" and "web1 web".
        extra: name and address from --add-host, in their order.
        gateway: what `host-gateway` stands for; such entries are left out while it is empty.
    """
    lines = [f"{address}\t{name}" for address, name in _STANDARD]
    lines += _extra_lines(extra, gateway)
    lines += [f"{address}\t{name}" for address, name in names if address]
    return "\n".join(lines) + "\n"


def hosts_of_host(text: str, extra: Iterable[tuple[str, str]] = ()) -> str:
    """The text of /etc/hosts in host mode: the host's own, and what --add-host adds."""
    lines = [text.rstrip("\n")] if text.strip() else [f"{address}\t{name}" for address, name in _STANDARD]
    return "\n".join(lines + _extra_lines(extra, "127.0.0.1")) + "\n"


def resolv_conf(
    host: str,
    nameservers: Iterable[str] = (),
    search: Iterable[str] = (),
    options: Iterable[str] = (),
    own: bool = True,
) -> str:
    """The text of /etc/resolv.conf.

    Args:
        host: the host's file.
        nameservers, search, options: from --dns, --dns-search and --dns-option; each replaces what the host has.
            A search of "." alone means none.
        own: whether the container has a network of its own, so that the host's loopback is out of reach.
    """
    found = _parse_resolv(host)
    chosen = list(nameservers) or [server for server in found["nameserver"] if not (own and is_loopback(server))]
    if not chosen and own:
        chosen = list(FALLBACK_NAMESERVERS)
    domains = list(search) or found["search"]
    if domains == ["."]:
        domains = []
    words = list(options) or found["options"]
    lines = [f"nameserver {server}" for server in chosen]
    lines += [f"search {' '.join(domains)}"] if domains else []
    lines += [f"options {' '.join(words)}"] if words else []
    return "\n".join(lines) + "\n"


def asks_only_stub(host: str) -> bool:
    """Whether the host's resolv.conf names nothing but systemd-resolved's stub, so that `RESOLVED_FILE` tells more."""
    return _parse_resolv(host)["nameserver"] == [RESOLVED_STUB]


def is_loopback(address: str) -> bool:
    """Whether an address is the host's own loopback."""
    return address.startswith("127.") or address.partition("%")[0] in ("::1", "0:0:0:0:0:0:0:1")


def is_address(text: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address."""
    import _socket

    for family in (_socket.AF_INET, _socket.AF_INET6):
        try:
            _socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False


def _extra_lines(extra: Iterable[tuple[str, str]], gateway: str) -> list[str]:
    pairs = [(gateway if address == HOST_GATEWAY else address, name) for name, address in extra]
    return [f"{address}\t{name}" for address, name in pairs if address]


def _parse_resolv(text: str) -> dict[str, list[str]]:
    """Nameservers add up, of the other lines the last counts. Source: resolv.conf(5)."""
    found: dict[str, list[str]] = {"nameserver": [], "search": [], "options": []}
    for line in text.splitlines():
        words = line.partition("#")[0].partition(";")[0].split()
        if len(words) < 2:
            continue
        keyword = "search" if words[0] == "domain" else words[0]
        if keyword == "nameserver":
            found[keyword].append(words[1])
        elif keyword in found:
            found[keyword] = words[1:]
    return found
