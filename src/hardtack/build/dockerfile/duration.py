"""Go's durations, in which HEALTHCHECK speaks: "1m30s" to nanoseconds and back."""

from __future__ import annotations

from hardtack.build.errors import DockerfileError

_UNITS = {
    "ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000,
    "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000,
}  # fmt: skip
_MAX = (1 << 63) - 1
MILLISECOND = 1_000_000


def parse_duration(text: str) -> int:
    """Read a duration.

    Returns:
        Nanoseconds.
    Raises:
        DockerfileError: not a duration, or one that 64 bits cannot hold. Source: Go, time.ParseDuration.
    """
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0
    total, position = 0, 0
    while position < len(rest) and len(rest) < 100:
        whole, position = _digits(rest, position)
        fraction = ""
        if rest[position : position + 1] == ".":
            fraction, position = _digits(rest, position + 1)
        end = position
        while end < len(rest) and rest[end] != "." and not rest[end].isdigit():
            end += 1
        unit = _UNITS.get(rest[position:end])
        if unit is None or not whole + fraction:
            break
        total += int(whole or "0") * unit + int(fraction or "0") * unit // 10 ** len(fraction)
        position = end
    else:
        if rest and len(rest) < 100 and total <= _MAX:
            return -total if text.startswith("-") else total
    raise DockerfileError(f"invalid duration {text[:60]!r}", hint="Write it like 30s, 1m30s or 500ms")


def _digits(text: str, start: int) -> tuple[str, int]:
    end = start
    while end < len(text) and text[end] in "0123456789":
        end += 1
    return text[start:end], end


def format_duration(nanoseconds: int) -> str:
    """A duration as Go prints it: "1m30s", "1.5s", "20ms", "0s". Source: Go, time.Duration.String."""
    sign, value = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if value < _UNITS["s"]:
        for unit in ("ms", "µs", "ns"):
            if value >= _UNITS[unit]:
                return f"{sign}{_decimal(value, _UNITS[unit])}{unit}"
        return "0s"
    minutes, rest = divmod(value, _UNITS["m"])
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, _UNITS['s'])}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return sign + (f"{hours}h{text}" if hours else text)


def _decimal(value: int, unit: int) -> str:
    whole, fraction = divmod(value, unit)
    digits = f"{fraction:0{len(str(unit)) - 1}d}".rstrip("0") if fraction else ""
    return f"{whole}.{digits}" if digits else str(whole)
