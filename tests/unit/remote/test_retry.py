"""When to try again: a table."""

from __future__ import annotations

import pytest

from hardtack.remote.errors import (
    BadAnswer,
    Denied,
    NotFound,
    RateLimited,
    RemoteError,
    ServerFailed,
    Stalled,
    Truncated,
    Unauthorized,
    Unreachable,
    Untrusted,
)
from hardtack.remote.retry import RetryPolicy

POLICY = RetryPolicy(attempts=4, base=1.0, cap=5.0, patience=60.0)


@pytest.mark.parametrize(
    ("failures", "error", "expected"),
    [
        (1, ServerFailed("h", 500), 1.0),
        (2, ServerFailed("h", 503), 2.0),
        (3, ServerFailed("h", 503), 4.0),
        (4, ServerFailed("h", 503), None),
        (1, ServerFailed("h", 503, "", 7.0), 7.0),
        (1, ServerFailed("h", 503, "", 0.0), 1.0),
        (1, RateLimited("h", None), 1.0),
        (1, RateLimited("h", 30.0), 30.0),
        (1, RateLimited("h", 3600.0), None),
        (1, Truncated("h", "layer", 1, 2), 1.0),
        (1, Stalled("h", "layer", 60), 1.0),
        (1, Unreachable("h", "connection reset", transient=True), 1.0),
        (1, Unreachable("h", "connection refused"), None),
        (1, Untrusted("h", "self-signed"), None),
        (1, NotFound("h", "x"), None),
        (1, Denied("h", "x"), None),
        (1, Unauthorized("h", "x"), None),
        (1, BadAnswer("h", "x"), None),
    ],
)
def test_only_passing_failures_are_tried_again_and_servers_may_ask_for_more_time(
    failures: int, error: RemoteError, expected: float | None
) -> None:
    assert POLICY.delay(failures, error, jitter=1.0) == expected


def test_waits_are_spread_between_half_and_all_and_never_above_the_cap() -> None:
    policy = RetryPolicy(attempts=100, base=1.0, cap=5.0)
    error = ServerFailed("h", 500)
    assert policy.delay(2, error, 0.0) == 1.0
    assert policy.delay(2, error, 0.5) == 1.5
    assert policy.delay(50, error, 1.0) == 5.0
