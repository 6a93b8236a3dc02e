"""Moments as images and docker's API write them, RFC 3339 both ways without `datetime`; spans as people say them.

Source: RFC 3339, section 5.6; Go's RFC3339Nano, which drops zeros at the end of the fraction.
"""

from __future__ import annotations

import time

ZERO = "0001-01-01T00:00:00Z"  # Go's zero time: "never", in every document of docker's
_LAST = 253402300799  # 9999-12-31T23:59:59Z


def format_time(seconds: float) -> str:
    """Seconds since 1970 as `2024-05-01T12:00:00.123456Z`; 0 and less is Go's zero time."""
    if seconds <= 0:
        return ZERO
    micros = round(min(seconds, _LAST) * 1_000_000)
    whole, fraction = divmod(micros, 1_000_000)
    parts = time.gmtime(whole)
    text = f"{parts[0]:04}-{parts[1]:02}-{parts[2]:02}T{parts[3]:02}:{parts[4]:02}:{parts[5]:02}"
    return f"{text}.{fraction:06}".rstrip("0") + "Z" if fraction else text + "Z"


def parse_time(text: str) -> float:
    """Seconds since 1970 of an RFC 3339 text; Go's zero time is 0.

    Raises:
        ValueError: anything else.
    """
    if len(text) > 64 or not text.isascii() or len(text) < 20:
        raise ValueError("not a time by RFC 3339")
    if text[4] != "-" or text[7] != "-" or text[10] not in "Tt " or text[13] != ":" or text[16] != ":":
        raise ValueError("not a time by RFC 3339")
    year, month, day = _number(text[:4]), _number(text[5:7]), _number(text[8:10])
    hour, minute, second = _number(text[11:13]), _number(text[14:16]), _number(text[17:19])
    fraction, offset = _tail(text[19:])
    if not (1 <= month <= 12 and 1 <= day <= _days(year, month) and hour < 24 and minute < 60 and second <= 60):
        raise ValueError("no such time")
    whole = _day_number(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset
    return max(0.0, whole + fraction)


def duration(seconds: float) -> str:
    """A span as people say it: `3 seconds`, `About a minute`, `2 weeks`; a negative one is none.

    Source: docker/go-units, duration.go.
    """
    whole = max(0, int(seconds))
    if whole < 1:
        return "Less than a second"
    if whole < 60:
        return "1 second" if whole == 1 else f"{whole} seconds"
    minutes = whole // 60
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    hours = int(seconds / 3600 + 0.5)
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    for limit, span, name in ((24 * 14, 24, "days"), (24 * 60, 168, "weeks"), (24 * 730, 720, "months")):
        if hours < limit:
            return f"{hours // span} {name}"
    return f"{whole // 3600 // 24 // 365} years"


def _number(text: str) -> int:
    if not text.isdigit():
        raise ValueError("not a time by RFC 3339")
    return int(text)


def _tail(text: str) -> tuple[float, int]:
    fraction = 0.0
    if text[0] == ".":
        end = 1
        while end < len(text) and text[end].isdigit():
            end += 1
        fraction = _number(text[1:end]) / 10 ** (end - 1)
        text = text[end:]
    if text in ("Z", "z"):
        return fraction, 0
    if len(text) != 6 or text[0] not in "+-" or text[3] != ":":
        raise ValueError("not a time by RFC 3339")
    hours, minutes = _number(text[1:3]), _number(text[4:])
    if hours > 23 or minutes > 59:
        raise ValueError("no such offset")
    offset = hours * 3600 + minutes * 60
    return fraction, -offset if text[0] == "-" else offset


def _days(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _day_number(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the Gregorian calendar, years beginning in March so that leap days come last."""
    if month <= 2:
        year -= 1
        month += 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719469
