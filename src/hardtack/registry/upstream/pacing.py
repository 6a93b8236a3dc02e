"""When an upstream may be asked again: after failures, after "too many requests", and when its allowance is used up.

Pure, over a clock that is given. Each process keeps its own; that one of several learns a limit later than another
costs one refused request. Docker Hub counts requests that fetch manifests and no others, so these are held back apart.

Source: docs.docker.com, "Pull usage and limits" (ratelimit-remaining); RFC 9110, 10.2.3 (Retry-After).
"""

from __future__ import annotations

import re

_FIRST, _LONGEST = 0.5, 30.0
_PATIENCE = 3600.0  # at most so long is believed of a Retry-After
_UNSAID = 30.0
_EMPTY = 60.0
_REMAINING = re.compile(r"\s*([0-9]{1,9})\s*(?:;.*)?", re.DOTALL)


class Pace:
    """The state of one upstream, as one process knows it."""

    def __init__(self) -> None:
        self._down_until = 0.0
        self._limited_until = 0.0
        self._counted_until = 0.0
        self._failures = 0

    def down(self, now: float) -> float:
        """Seconds for which the upstream is left alone since it failed; 0 when it may be asked."""
        return max(0.0, self._down_until - now)

    def limited(self, now: float, counted: bool) -> float:
        """Seconds for which it does not want to be asked.

        Args:
            counted: the request is one that its allowance counts.
        """
        until = max(self._limited_until, self._counted_until) if counted else self._limited_until
        return max(0.0, until - now)

    def failed(self, now: float) -> None:
        """It could not be asked, or failed: leave it alone, longer each time."""
        self._down_until = now + min(_LONGEST, _FIRST * 2**self._failures)
        self._failures = min(self._failures + 1, 16)

    def answered(self) -> None:
        """It works."""
        self._failures = 0
        self._down_until = 0.0

    def refused(self, now: float, counted: bool, wait: float | None) -> float:
        """It said that there were too many requests. Returns for how many seconds it is left alone."""
        seconds = min(_PATIENCE, max(1.0, _UNSAID if wait is None else wait))
        if counted:
            self._counted_until = max(self._counted_until, now + seconds)
        else:
            self._limited_until = max(self._limited_until, now + seconds)
        return seconds

    def told(self, now: float, remaining: str | None) -> None:
        """It said how many counted requests are left."""
        match = _REMAINING.fullmatch(remaining or "")
        if match is not None and int(match[1]) == 0:
            self._counted_until = max(self._counted_until, now + _EMPTY)
