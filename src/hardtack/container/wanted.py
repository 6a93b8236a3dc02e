"""Which streams of a container its starter is connected to, by docker's rules. Pure, and read before all else."""

from __future__ import annotations

from hardtack.container.errors import InvalidOption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STREAMS = frozenset(("stdin", "stdout", "stderr"))


def attached_streams(options: Any) -> frozenset[str]:
    """The streams to attach: all that the container has, those named by -a, none with -d.

    Args:
        options: an object with an attribute per flag of `run`.
    Raises:
        InvalidOption: a name that is no stream, or -a and -d at once.
    """
    detached = getattr(options, "detach", False)
    chosen = frozenset(name.lower() for name in options.attach)
    if unknown := chosen - STREAMS:
        raise InvalidOption("--attach", min(unknown), "valid streams are STDIN, STDOUT and STDERR")
    if detached and chosen:
        raise InvalidOption("--attach", ", ".join(sorted(chosen)), "Conflicting options: -a and -d")
    if detached or chosen:
        return chosen
    return STREAMS if options.interactive else STREAMS - {"stdin"}
