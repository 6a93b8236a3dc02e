"""Ranges of addresses: which one a root's bridge takes, so that it never hides something that the host can reach.

Pure: the host's routes are given. A root's id decides where the search begins, so that two roots that choose at the
same moment choose differently.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Range = tuple[int, int]
    """First address as a number, length of the prefix."""

PREFIX = 20  # 4,093 containers; a bridge has at most 1,023 ports (Linux, BR_MAX_PORTS)

_STEP = 1 << (32 - PREFIX)
_WIDE = 7
"""Routes this wide stand for "everything", as VPNs write them (0.0.0.0/1 and 128.0.0.0/1)."""

_REGIONS = (
    ("172.16.0.0", 12, ("172.17.0.0", 16)),  # without the range of docker's default bridge
    ("10.64.0.0", 10, ("10.88.0.0", 15)),  # without those of podman
    ("192.168.0.0", 16, ("192.168.0.0", 23)),  # without what most home routers use
)


class Subnet:
    """A range of IPv4 addresses with a gateway: the first usable one."""

    __slots__ = ("first", "prefix")

    def __init__(self, first: int, prefix: int) -> None:
        self.first = first
        self.prefix = prefix

    @classmethod
    def parse(cls, text: str) -> Subnet:
        """Read "172.20.16.0/20"."""
        address, _, prefix = text.partition("/")
        return cls(number(address), int(prefix))

    @property
    def size(self) -> int:
        """How many addresses there are, the network's own and the broadcast address counted."""
        return 1 << (32 - self.prefix)

    @property
    def gateway(self) -> str:
        """The address of the bridge."""
        return self.address(1)

    def address(self, offset: int) -> str:
        """The address at a distance from the first."""
        return dotted(self.first + offset)

    def overlaps(self, other: Range) -> bool:
        """Whether the two have an address in common."""
        shift = 32 - min(self.prefix, other[1])
        return self.first >> shift == other[0] >> shift

    def __str__(self) -> str:
        return f"{dotted(self.first)}/{self.prefix}"


def choose(root_id: str, routed: Iterable[Range]) -> Subnet | None:
    """Choose a range for a root's bridge.

    Args:
        root_id: eight hexadecimal digits; the search begins at a place that follows from it.
        routed: what the host reaches by a route of its own, and single addresses to stay clear of with prefix 32.
    Returns:
        A range that meets none of them; where every one does, one that meets only wide routes (as companies have for
        10.0.0.0/8): the narrower range wins there. None when even that fails.
    """
    known = [(first, prefix) for first, prefix in routed if prefix > _WIDE]
    for limit in (_WIDE, 16):
        blocked = [item for item in known if item[1] > limit]
        for candidate in _candidates(int(root_id, 16)):
            if not any(candidate.overlaps(item) for item in blocked):
                return candidate
    return None


def number(address: str) -> int:
    """An IPv4 address as a number."""
    value = 0
    for part in address.split("."):
        value = value << 8 | int(part)
    return value


def dotted(value: int) -> str:
    """A number as an IPv4 address."""
    return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"


def mac_of(address: str) -> str:
    """The hardware address that goes with an IPv4 address: always the same, so no neighbour holds a stale one."""
    return "02:42:" + ":".join(f"{int(part):02x}" for part in address.split("."))


def _candidates(seed: int) -> Iterator[Subnet]:
    for region, prefix, (left_out, left_out_prefix) in _REGIONS:
        count = 1 << (PREFIX - prefix)
        base = number(region)
        for place in range(count):
            candidate = Subnet(base + (seed + place) % count * _STEP, PREFIX)
            if not candidate.overlaps((number(left_out), left_out_prefix)):
                yield candidate
