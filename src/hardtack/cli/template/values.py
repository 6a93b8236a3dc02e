"""Go's view of JSON's values: what is true, what is empty, how `%v` prints it, which dicts are maps.

JSON has forgotten Go's types, and docker's templates show them: a nil list prints as `[]`, a nil pointer as `<nil>`,
a missing key of a map as `<no value>`, while a missing field of a struct is an error. Field names tell them apart.

Source: Go, fmt/print.go and text/template/exec.go; moby api/types.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Fields of docker's objects that hold maps with free keys.
MAP_FIELDS = frozenset(
    {
        "Annotations",
        "Containers",
        "Data",
        "DriverOpts",
        "ExposedPorts",
        "Labels",
        "Networks",
        "Options",
        "PortBindings",
        "Ports",
        "StorageOpt",
        "Sysctls",
        "Tmpfs",
        "Volumes",
    }
)
_POINTER_FIELDS = frozenset(
    {
        "Health",
        "Healthcheck",
        "IPAMConfig",
        "Init",
        "MemorySwappiness",
        "OomKillDisable",
        "PidsLimit",
        "StopTimeout",
        "UsageData",
    }
)


class Map(dict):  # type: ignore[type-arg]
    """A dict that is a map with free keys, not a struct."""


class Nil:
    """A nil that remembers how it prints: `[]`, `map[]` or `<nil>`."""

    __slots__ = ("printed",)

    def __init__(self, printed: str) -> None:
        self.printed = printed

    def __bool__(self) -> bool:
        return False


class Missing(Nil):
    """What a map gives for a key that it does not have."""


NIL = Nil("<nil>")
NO_VALUE = Missing("<no value>")


def typed(name: str, value: Any) -> Any:
    """A field's value with what its name says about its type."""
    if value is None:
        if name in MAP_FIELDS:
            return Nil("map[]")
        return NIL if name in _POINTER_FIELDS else Nil("[]")
    if type(value) is dict and name in MAP_FIELDS:
        return Map(value)
    return value


def truth(value: Any) -> bool:
    """Whether `if` takes the branch: not nil, zero or empty."""
    return bool(value)


def is_nil(value: Any) -> bool:
    """Whether it is any kind of nothing."""
    return value is None or isinstance(value, Nil)


def printed(value: Any) -> str:
    """The value as an action prints it."""
    if value is None:
        return "<no value>"
    return formatted(value)


def formatted(value: Any) -> str:
    """The value as `%v` prints it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, Nil):
        return value.printed
    if value is None:
        return "<nil>"
    if isinstance(value, Map):
        return "map[" + " ".join(f"{key}:{formatted(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, dict):
        parts = (formatted(typed(name, item)) for name, item in value.items() if not callable(item))
        return "{" + " ".join(parts) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(formatted(item) for item in value) + "]"
    return str(value)


def float_text(value: float) -> str:
    """A float as Go's %v: the shortest digits, with an exponent below 1e-4 and from 1e+06 on."""
    text = repr(value)
    if text in ("inf", "-inf", "nan"):
        return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}[text]
    mantissa, _, exponent = text.partition("e")
    sign = "-" if mantissa[0] == "-" else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return sign + "0"
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    power = point - 1
    if power < -4 or power >= 6:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{tail}e{'-' if power < 0 else '+'}{abs(power):02d}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if len(digits) <= point:
        return sign + digits + "0" * (point - len(digits))
    return f"{sign}{digits[:point]}.{digits[point:]}"


def plain(value: Any, name: str = "") -> Any:
    """The value as JSON shows it: maps sorted by key as Go does, methods left out, nil as null."""
    if isinstance(value, Nil):
        return None
    if isinstance(value, dict):
        items = [(key, plain(item, key)) for key, item in value.items() if not callable(item)]
        if isinstance(value, Map) or name in MAP_FIELDS:
            items.sort()
        return dict(items)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value
