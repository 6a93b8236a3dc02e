"""What this host gives to containers: its control groups, the capabilities and limits we hold, its processors.

Probed when a process first starts a container, some 0.2 ms; the rules of `spec` get it as a plain value.
"""

from __future__ import annotations

import os

from hardtack.linux import cgroup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Host:
    """Facts about the host.

    Attributes:
        machine: as uname(2) has it.
        layout: of control groups, see `linux.cgroup`.
        held: bits of the capabilities that we may pass on.
        swap_limits: whether memory and swap can be limited together.
        throttled: paths under /sys that tell a container about its neighbours' heat.
        rlimit: our own (soft, hard) of a resource by its name without RLIMIT_, such as "nofile".
    """

    __slots__ = ("held", "layout", "machine", "rlimit", "swap_limits", "throttled")

    def __init__(
        self,
        machine: str,
        layout: str,
        held: int,
        swap_limits: bool,
        throttled: tuple[str, ...],
        rlimit: Callable[[str], tuple[int, int] | None],
    ) -> None:
        self.machine = machine
        self.layout = layout
        self.held = held
        self.swap_limits = swap_limits
        self.throttled = throttled
        self.rlimit = rlimit

    @classmethod
    def probe(cls) -> Host:
        """Ask the kernel."""
        layout = cgroup.layout()
        return cls(
            os.uname().machine, layout, _bounding_set(), cgroup.has_swap_limits(layout), _throttled(), held_rlimit
        )


def held_rlimit(name: str) -> tuple[int, int] | None:
    """Our own soft and hard limit; None for a resource that the kernel has not."""
    import resource

    number = getattr(resource, f"RLIMIT_{name.upper()}", None)
    return None if number is None else resource.getrlimit(number)


def _bounding_set() -> int:
    """What our children may hold at most: permitted and in the bounding set. Source: proc(5), CapPrm, CapBnd."""
    descriptor = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.read(descriptor, 8192).decode("ascii", "replace")
    finally:
        os.close(descriptor)
    bits = -1
    for line in text.splitlines():
        if line.startswith(("CapPrm:", "CapBnd:")):
            bits &= int(line.split()[1], 16)
    return bits


def _throttled() -> tuple[str, ...]:
    path = "/sys/devices/system/cpu/cpu{}/thermal_throttle"
    if not os.path.exists(path.format(0)):
        return ()
    return tuple(path.format(number) for number in range(os.cpu_count() or 1))
