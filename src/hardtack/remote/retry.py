"""When to try again and how long to wait first: a rule without a clock and without a socket.

Only failures that call themselves transient are retried, so a 4xx never is. Waits double and are spread at random,
so that a thousand hosts that were cut off together do not come back together.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.remote.errors import RemoteError


class RetryPolicy:
    """How often, and how patiently.

    Args:
        attempts: how often a request is sent in all.
        base: seconds before the second attempt; doubled for each further one.
        cap: the longest wait that we choose ourselves.
        patience: the longest wait that a server may ask for; if it asks for more, that is the answer.
    """

    __slots__ = ("attempts", "base", "cap", "patience")

    def __init__(self, attempts: int = 5, base: float = 0.25, cap: float = 8.0, patience: float = 60.0) -> None:
        self.attempts = attempts
        self.base = base
        self.cap = cap
        self.patience = patience

    def delay(self, failures: int, error: RemoteError, jitter: float) -> float | None:
        """Seconds to wait before the next attempt, or None when there shall be none.

        Args:
            failures: how many attempts have failed, this one included.
            error: the last failure.
            jitter: a random number from 0 to 1.
        Source: RFC 9110, 10.2.3 (Retry-After); RFC 6585, 4 (429).
        """
        if not error.transient or failures >= self.attempts:
            return None
        chosen = min(self.cap, self.base * 2.0 ** (failures - 1)) * (0.5 + jitter / 2)
        asked: float | None = getattr(error, "wait", None)
        if asked is None:
            return chosen
        return None if asked > self.patience else max(asked, chosen)
