"""Times and sizes as a configuration file writes them: "15m", "1h30m", "10GB", "4MiB".

KB, MB, GB, TB count by 1000 as disks are sold, KiB, MiB, GiB, TiB by 1024. What is written here is read back the same.
"""

from __future__ import annotations

import re

_SECONDS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_BYTES = {"": 1, "B": 1} | {
    f"{letter}{mark}B": base**power
    for power, letter in enumerate("KMGTP", 1)
    for mark, base in (("", 1000), ("i", 1024))
}
_PART = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)(ms|[dhms])", re.ASCII)
_SIZE = re.compile(r"(\d{1,20}(?:\.\d{1,9})?)\s*([A-Za-z]{0,3})", re.ASCII)
_UNITS = {name.lower(): factor for name, factor in _BYTES.items()}
_LIMIT = 1 << 62


def seconds(value: object) -> float:
    """Read a duration; a plain number counts seconds.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 <= value < 1e12:
            raise ValueError("must be a duration that is not negative")
        return float(value)
    if not isinstance(value, str) or len(value) > 60:
        raise ValueError('must be a duration such as "90s" or "1h30m"')
    total, end = 0.0, 0
    for part in _PART.finditer(value):
        if part.start() != end:
            break
        total += float(part[1]) * _SECONDS[part[2]]
        end = part.end()
    if not end or end != len(value):
        raise ValueError('must be a duration such as "90s", "1h30m" or "7d"')
    return total


def duration(value: float) -> str:
    """Write a duration."""
    if value == 0:
        return "0s"
    parts = []
    rest = round(value * 1000)
    for unit, size in _SECONDS.items():
        count, rest = divmod(rest, round(size * 1000))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def count_bytes(value: object) -> int:
    """Read a size; a plain number counts bytes.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        amount = value
    else:
        found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
        factor = _UNITS.get(found[2].lower()) if found is not None else None
        if found is None or factor is None:
            raise ValueError('must be a size such as "10GB" or "4MiB"')
        amount = round(float(found[1]) * factor) if "." in found[1] else int(found[1]) * factor
    if not 0 <= amount <= _LIMIT:
        raise ValueError("must be a size that is not negative and below 4 EiB")
    return amount


def size(value: int) -> str:
    """Write a size, in the largest unit that says it exactly."""
    exact = [(factor, name) for name, factor in _BYTES.items() if name and value and value % factor == 0]
    factor, name = max(exact, default=(1, "B"))
    return f"{value // factor}{name}"
