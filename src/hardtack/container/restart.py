"""Whether and when a container that ended is started again: docker's policies with a delay that doubles.

Pure: the monitor asks, waits and starts.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

FIRST_DELAY = 0.1
LONGEST_DELAY = 60.0
HEALTHY_AFTER = 10.0
"""Seconds after which a run counts as a success and the delay begins anew. Source: moby, restartmanager."""


def again(policy: Mapping[str, Any] | None, exit_code: int, stopped: bool, restarts: int) -> bool:
    """Whether it is started again.

    Args:
        policy: docker's RestartPolicy.
        stopped: somebody asked it to stop.
        restarts: how often it has been started again already.
    """
    name = (policy or {}).get("Name") or "no"
    if name == "no" or stopped:
        return False
    if name == "on-failure":
        most = (policy or {}).get("MaximumRetryCount") or 0
        return exit_code != 0 and (most == 0 or restarts < most)
    return True


def next_delay(delay: float, ran: float) -> float:
    """Seconds to wait, from what was waited before this run (0 at first) and how long it ran."""
    if delay <= 0 or ran >= HEALTHY_AFTER:
        return FIRST_DELAY
    return min(delay * 2, LONGEST_DELAY)
