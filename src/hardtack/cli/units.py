"""Amounts and spans of time as docker prints them. The other direction is `cli.values`.

Source: docker/go-units, size.go and duration.go.
"""

from __future__ import annotations

_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")


def size(amount: float, digits: int = 3) -> str:
    """Bytes in powers of 1000, three digits that count: `7.8MB`."""
    return _scaled(amount, 1000.0, _DECIMAL, digits)


def memory(amount: float, digits: int = 4) -> str:
    """Bytes in powers of 1024, four digits that count: `1.944GiB`."""
    return _scaled(amount, 1024.0, _BINARY, digits)


def _scaled(amount: float, base: float, names: tuple[str, ...], digits: int) -> str:
    step = 0
    while amount >= base and step < len(names) - 1:
        amount /= base
        step += 1
    return f"{amount:.{digits}g}{names[step]}"


def duration(seconds: float) -> str:
    """A span as people say it: `3 seconds`, `About a minute`, `2 weeks`; a negative one is none."""
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


def ago(moment: float, now: float | None = None) -> str:
    """How long a moment (seconds since 1970) lies back: `2 hours ago`; "N/A" for never."""
    import time

    if moment <= 0:
        return "N/A"
    return duration((time.time() if now is None else now) - moment) + " ago"


def clock(moment: float) -> str:
    """A moment on this host's clock as Go prints it: `2024-05-01 14:00:00 +0200 CEST`."""
    import time

    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(moment))
