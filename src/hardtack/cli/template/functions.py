"""The functions of templates: Go's own, and those that docker adds.

Each takes values as the evaluator has them and raises `Misfit` with Go's words when they do not fit.

Source: Go, text/template/funcs.go; docker/cli templates/templates.go.
"""

from __future__ import annotations

from hardtack.cli.template.values import (
    NIL,
    Map,
    Nil,
    formatted,
    is_nil,
    plain,
    truth,
    typed,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Misfit(Exception):
    """Arguments that a function cannot take."""


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "string"
    return "nil" if is_nil(value) else "other"


def _comparable(left: Any, right: Any) -> None:
    kinds = {_kind(left), _kind(right)}
    if "other" in kinds:
        raise Misfit("non-comparable type")
    if len(kinds) > 1 and "nil" not in kinds:
        raise Misfit("incompatible types for comparison")


def _equal(first: Any, *others: Any) -> bool:
    if not others:
        raise Misfit("missing argument for comparison")
    found = False
    for other in others:
        _comparable(first, other)
        found = found or (is_nil(first) and is_nil(other)) or (_kind(first) == _kind(other) and first == other)
    return found


def _not_equal(left: Any, right: Any) -> bool:
    return not _equal(left, right)


def _less(left: Any, right: Any) -> bool:
    _comparable(left, right)
    if _kind(left) not in ("int", "float", "string"):
        raise Misfit("invalid type for comparison")
    return bool(left < right)


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, (list, tuple, dict)):
        return len(value)
    if isinstance(value, Nil) and value.printed != "<nil>":
        return 0
    raise Misfit("len of nil pointer" if is_nil(value) else f"len of type {_kind(value)}")


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = _element(value, key)
    return value


def _element(value: Any, key: Any) -> Any:
    if isinstance(value, dict):
        if not isinstance(key, str):
            raise Misfit(f"value has type {_kind(key)}; should be string")
        if key in value:
            return value[key] if isinstance(value, Map) else typed(key, value[key])
        return NIL if any(isinstance(item, (dict, list)) for item in value.values()) else ""
    if isinstance(value, (list, tuple, str)):
        position = _position(key)
        sequence = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        if not 0 <= position < len(sequence):
            raise Misfit(f"index out of range: {position}")
        return sequence[position]
    if isinstance(value, Nil) and value.printed == "map[]":
        return ""
    if isinstance(value, Nil) and value.printed == "[]":
        raise Misfit(f"index out of range: {_position(key)}")
    raise Misfit("index of untyped nil" if is_nil(value) else f"can't index item of type {_kind(value)}")


def _position(key: Any) -> int:
    if isinstance(key, int) and not isinstance(key, bool):
        return key
    raise Misfit(
        "cannot index slice/array with nil" if is_nil(key) else f"cannot index slice/array with type {_kind(key)}"
    )


def _slice(value: Any, *bounds: Any) -> Any:
    if len(bounds) > 2:
        raise Misfit(f"too many slice indexes: {len(bounds)}")
    if not isinstance(value, (str, list, tuple)):
        raise Misfit(f"can't slice item of type {_kind(value)}")
    sequence: Any = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    positions = [_position(bound) for bound in bounds]
    for position in positions:
        if not 0 <= position <= len(sequence):
            raise Misfit(f"index out of range: {position}")
    begin = positions[0] if positions else 0
    end = positions[1] if len(positions) > 1 else len(sequence)
    if begin > end:
        raise Misfit(f"invalid slice index: {begin} > {end}")
    cut = sequence[begin:end]
    return cut.decode("utf-8", "surrogateescape") if isinstance(cut, bytes) else cut


def _print(*values: Any) -> str:
    """Like fmt.Sprint: a space between two neighbours that are both no text."""
    out = ""
    for position, value in enumerate(values):
        if position and not isinstance(value, str) and not isinstance(values[position - 1], str):
            out += " "
        out += formatted(value)
    return out


def _print_line(*values: Any) -> str:
    return " ".join(formatted(value) for value in values) + "\n"


def _print_format(template: Any, *values: Any) -> str:
    from hardtack.cli.template.printf import sprintf

    return sprintf(_text(template), values)


def _json(value: Any) -> str:
    from hardtack.jsontext import dumps

    return dumps(plain(value), sort_keys=isinstance(value, Map))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise Misfit(f"wrong type for value; expected string; got {_kind(value)}")


def _split(value: Any, separator: Any) -> list[str]:
    text, separator = _text(value), _text(separator)
    return text.split(separator) if separator else list(text)


def _join(values: Any, separator: Any) -> str:
    if isinstance(values, Nil):
        return ""
    if not isinstance(values, (list, tuple)):
        raise Misfit(f"wrong type for value; expected []string; got {_kind(values)}")
    return _text(separator).join(_text(value) for value in values)


def _title(value: Any) -> str:
    before = " "
    out = []
    for character in _text(value):
        out.append(character if before.isalnum() or before == "_" else character.title())
        before = character
    return "".join(out)


def _pad(value: Any, before: Any, after: Any) -> str:
    text = _text(value)
    return " " * _position(before) + text + " " * _position(after) if text else text


def _truncate(value: Any, length: Any) -> str:
    # docker cuts bytes; a cut through a character would print garbage, so that character goes whole
    return _text(value).encode("utf-8", "surrogateescape")[: max(0, _position(length))].decode("utf-8", "ignore")


def _html(*values: Any) -> str:
    text = _print(*values)
    for character, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&#34;"), ("'", "&#39;")):
        text = text.replace(character, name)
    return text


def _query(*values: Any) -> str:
    from urllib.parse import quote_plus

    return quote_plus(_print(*values))


def _call(function: Any, *values: Any) -> Any:
    if not callable(function):
        raise Misfit(f"non-function of type {_kind(function)}")
    return function(*values)


# name: (function, fewest arguments, most or None)
FUNCTIONS: dict[str, tuple[Callable[..., Any], int, int | None]] = {
    "call": (_call, 1, None),
    "eq": (_equal, 1, None),
    "ge": (lambda left, right: not _less(left, right), 2, 2),
    "gt": (lambda left, right: not _less(left, right) and left != right, 2, 2),
    "html": (_html, 0, None),
    "index": (_index, 1, None),
    "join": (_join, 2, 2),
    "json": (_json, 1, 1),
    "le": (lambda left, right: _less(left, right) or left == right, 2, 2),
    "len": (_length, 1, 1),
    "lower": (lambda value: _text(value).lower(), 1, 1),
    "lt": (_less, 2, 2),
    "ne": (_not_equal, 2, 2),
    "not": (lambda value: not truth(value), 1, 1),
    "pad": (_pad, 3, 3),
    "print": (_print, 0, None),
    "printf": (_print_format, 1, None),
    "println": (_print_line, 0, None),
    "slice": (_slice, 1, None),
    "split": (_split, 2, 2),
    "title": (_title, 1, 1),
    "truncate": (_truncate, 2, 2),
    "upper": (lambda value: _text(value).upper(), 1, 1),
    "urlquery": (_query, 0, None),
}
# In a table's header line these leave the column's title as it is.
ON_HEADERS = frozenset({"json", "title", "lower", "upper", "truncate", "join", "split"})
LAZY = frozenset({"and", "or"})
NAMES = frozenset(FUNCTIONS) | LAZY
