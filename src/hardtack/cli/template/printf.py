"""`printf` of templates: Go's verbs on JSON's values. Source: Go, fmt/doc.go."""

from __future__ import annotations

from hardtack.cli.template.values import Nil, float_text, formatted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_FLAGS = "+-# 0"
_WIDEST = 10_000


def sprintf(template: str, values: Sequence[Any]) -> str:
    """Fill the verbs of a format; what does not fit shows as Go shows it, `%!d(string=x)`."""
    out: list[str] = []
    used = position = 0
    while position < len(template):
        start = template.find("%", position)
        if start < 0:
            out.append(template[position:])
            break
        out.append(template[position:start])
        verb, position, used = _verb(template, start + 1, values, used)
        out.append(verb)
    if used < len(values):
        extra = ", ".join(f"{_type(value)}={formatted(value)}" for value in values[used:])
        out.append(f"%!(EXTRA {extra})")
    return "".join(out)


def _verb(template: str, position: int, values: Sequence[Any], used: int) -> tuple[str, int, int]:
    flags = ""
    while position < len(template) and template[position] in _FLAGS:
        flags += template[position]
        position += 1
    width, position, used = _number(template, position, values, used)
    precision = -1
    if template[position : position + 1] == ".":
        precision, position, used = _number(template, position + 1, values, used)
        precision = max(precision, 0)
    verb = template[position : position + 1]
    position += 1
    if not verb:
        return "%!(NOVERB)", position, used
    if verb == "%":
        return "%", position, used
    if used >= len(values):
        return f"%!{verb}(MISSING)", position, used
    text = _one(verb, values[used], flags, precision)
    fill = "0" if "0" in flags and "-" not in flags else " "
    if len(text) < width:
        sign = text[:1] if fill == "0" and text[:1] in ("-", "+") else ""
        body = text[len(sign) :]
        text = text.ljust(width) if "-" in flags else sign + body.rjust(width - len(sign), fill)
    return text, position, used + 1


def _number(template: str, position: int, values: Sequence[Any], used: int) -> tuple[int, int, int]:
    if template[position : position + 1] == "*":
        value = values[used] if used < len(values) else 0
        return (min(value, _WIDEST) if isinstance(value, int) else 0), position + 1, used + 1
    end = position
    while end < len(template) and template[end] in "0123456789":
        end += 1
    return (min(int(template[position:end][:6]), _WIDEST) if end > position else -1), end, used


def _type(value: Any) -> str:
    for kind, name in (
        (bool, "bool"),
        (int, "int"),
        (float, "float64"),
        (str, "string"),
        (dict, "map[string]interface {}"),
    ):
        if isinstance(value, kind):
            return name
    return "<nil>" if value is None or isinstance(value, Nil) else "[]interface {}"


def _one(verb: str, value: Any, flags: str, precision: int) -> str:
    text = _fitting(verb, value, flags, precision)
    if text is not None:
        return text
    if value is None or isinstance(value, Nil):
        return f"%!{verb}(<nil>)"
    return f"%!{verb}({_type(value)}={formatted(value)})"


def _fitting(verb: str, value: Any, flags: str, precision: int) -> str | None:
    if verb == "v":
        return formatted(value)
    if verb == "T":
        return _type(value)
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(_one(verb, item, flags, precision) for item in value) + "]"
    if isinstance(value, bool):
        return formatted(value) if verb == "t" else None
    if isinstance(value, str):
        return _string(verb, value, precision)
    if isinstance(value, int):
        return _integer(verb, value, flags)
    return _float(verb, value, flags, precision) if isinstance(value, float) else None


def _string(verb: str, value: str, precision: int) -> str | None:
    if verb == "s":
        return value[:precision] if precision >= 0 else value
    if verb == "q":
        return _quoted(value)
    if verb in "xX":
        digits = value.encode("utf-8", "surrogateescape").hex()
        return digits.upper() if verb == "X" else digits
    return None


def _quoted(value: str) -> str:
    out = []
    for character in value:
        if character in '"\\':
            out.append("\\" + character)
        elif character.isprintable():
            out.append(character)
        else:
            out.append({"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character) or f"\\x{ord(character):02x}")
    return '"' + "".join(out) + '"'


def _integer(verb: str, value: int, flags: str) -> str | None:
    sign = "-" if value < 0 else "+" if "+" in flags else ""
    prefix = {"x": "0x", "X": "0X", "o": "0"}.get(verb, "") if "#" in flags else ""
    if verb in "dxXob":
        return f"{sign}{prefix}{abs(value):{verb}}"
    if verb in "cqU" and 0 <= value < 0x110000:
        if verb == "U":
            return f"U+{value:04X}"
        return chr(value) if verb == "c" else f"'{chr(value)}'"
    return None


def _float(verb: str, value: float, flags: str, precision: int) -> str | None:
    if verb not in "feEgGF":
        return None
    sign = "+" if "+" in flags and value >= 0 else ""
    if verb in "gG" and precision < 0:
        return sign + float_text(value)
    return f"{sign}{value:.{precision if precision >= 0 else 6}{verb}}"
