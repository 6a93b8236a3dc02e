"""Amounts as people write them on a command line: 512m, 1m30s, 1.5. The other direction is `cli.units`."""

from __future__ import annotations

_BYTES = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_LIMIT = (1 << 63) - 1


def decimal(text: str) -> float:
    """A finite number such as 1.5. Raises ValueError."""
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not digits.isascii() or not digits.replace(".", "", 1).isdigit() or len(digits) > 30:
        raise ValueError("not a number")
    return float(text)


def bytes_of(text: str) -> int:
    """An amount of memory: 512m, 1.5g, 64KiB, 1024; powers of 1024; -1 stands for unlimited.

    Raises:
        ValueError: anything else.

    Source: docker/go-units, size.go, RAMInBytes.
    """
    if text == "-1":
        return -1
    number, unit = _split(text.strip().lower())
    unit = unit.strip()
    if unit not in ("", "b"):
        unit = unit.removesuffix("ib") if unit.endswith("ib") else unit.removesuffix("b")
    factor = _BYTES.get(unit)
    if not number or factor is None:
        raise ValueError("not an amount such as 512m or 2g")
    amount = int(decimal(number) * factor)
    if amount > _LIMIT:
        raise ValueError("too large")
    return amount


def seconds_of(text: str) -> float:
    """A duration as Go writes it: 1m30s, 500ms, 1.5h; a plain number counts seconds.

    Raises:
        ValueError: anything else.

    Source: Go, time.ParseDuration.
    """
    rest = text.strip()
    negative = rest[:1] == "-"
    rest = rest[1:] if rest[:1] in ("-", "+") else rest
    total = 0.0
    first = True
    while rest or first:
        number, rest = _split(rest)
        unit_end = 0
        while unit_end < len(rest) and not (rest[unit_end].isdigit() or rest[unit_end] == "."):
            unit_end += 1
        unit, rest = rest[:unit_end], rest[unit_end:]
        if first and number and not unit and not rest:
            unit = "s"
        if not number or unit not in _SECONDS or len(text) > 60:
            raise ValueError("not a duration such as 10s or 1m30s")
        total += decimal(number) * _SECONDS[unit]
        first = False
    return -total if negative else total


def _split(text: str) -> tuple[str, str]:
    end = 0
    while end < len(text) and (text[end] in "0123456789."):
        end += 1
    return text[:end], text[end:]
