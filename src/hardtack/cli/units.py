"""Amounts and spans of time as docker prints them. The other direction is `cli.values`.

Source: docker/go-units, size.go and duration.go.
"""

from __future__ import annotations

from hardtack.oci.moment import duration

__all__ = ["ago", "clock", "duration", "memory", "size"]

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
