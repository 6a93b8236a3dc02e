"""What filters of images mean: yes or no, labels, moments. Filters come as a mapping from key to its values."""

from __future__ import annotations

import time

from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Filters = Mapping[str, Sequence[str]]

_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86_400.0,
    "w": 604_800.0,
}


class FilterError(TackError):
    """A filter that cannot be read, or that this command does not know."""


def truth(filters: Filters, key: str) -> bool | None:
    """A yes-or-no filter; None when it is not given.

    Raises:
        FilterError: neither.
    """
    values = {value.lower() for value in filters.get(key, ())}
    if not values:
        return None
    if values <= {"true", "1", "t"}:
        return True
    if values <= {"false", "0", "f"}:
        return False
    raise FilterError(f"invalid filter '{key}={','.join(sorted(values))}'", "It is true or false")


def has_labels(filters: Filters, labels: Mapping[str, str], key: str = "label") -> bool:
    """Whether every `label=name` and `label=name=value` of the filter is true of these labels."""
    for wanted in filters.get(key, ()):
        name, equals, value = wanted.partition("=")
        if name not in labels or (equals and labels[name] != value):
            return False
    return True


def moment(text: str, now: float | None = None) -> float:
    """A moment as `until=` names it: a span back from now (`24h`, `10d`), seconds since 1970, or a date.

    Raises:
        FilterError: none of these.
    """
    now = time.time() if now is None else now
    span = _span(text)
    if span is not None:
        return now - span
    try:
        return float(text)
    except ValueError:
        pass
    from hardtack.oci.moment import parse_time

    for tail in ("", "Z", ":00Z", "T00:00:00Z"):
        try:
            return parse_time(text + tail)
        except ValueError:
            continue
    raise FilterError(f"cannot read the time {text!r}", "Write a span such as 24h or 10d, or a date such as 2024-05-01")


def _span(text: str) -> float | None:
    total, digits, rest = 0.0, "", text
    if not rest:
        return None
    while rest:
        end = 0
        while end < len(rest) and (rest[end].isdigit() or rest[end] == "."):
            end += 1
        digits, rest = rest[:end], rest[end:]
        end = 0
        while end < len(rest) and rest[end].isalpha():
            end += 1
        unit, rest = rest[:end], rest[end:]
        if not digits or unit not in _UNITS or digits.count(".") > 1 or digits == ".":
            return None
        total += float(digits) * _UNITS[unit]
    return total
