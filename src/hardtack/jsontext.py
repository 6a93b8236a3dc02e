"""JSON for the start path: CPython's own C scanner and encoder without the `json` package around them.

`json` imports `re` and with it `enum`, which together cost as much as starting the interpreter. The C parts need
neither. Where the interpreter lacks them, the package itself serves. Both directions give exactly what `json` gives.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_SPACE = " \t\n\r"


def _constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


class _Context:
    """The options that the C scanner reads from its argument."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = staticmethod(_constant)
    memo: dict[str, str] = {}


def loads(text: str | bytes) -> Any:
    """Parse one JSON value.

    Raises:
        ValueError: not JSON, not UTF-8, nested too deep, or something follows the value. Source: RFC 8259.
    """
    if isinstance(text, (bytes, bytearray)):
        text = bytes(text).decode("utf-8")
    try:
        value, end = _scan(text, len(text) - len(text.lstrip(_SPACE)))
    except StopIteration as stop:
        raise ValueError(f"no JSON value at character {stop.value}") from None
    except RecursionError:
        raise ValueError("nested too deep") from None
    except SystemError:  # the C scanner raises json.decoder's own error, and finds that module not loaded
        import json.decoder

        json.loads(text)
        raise ValueError("not JSON") from None
    if text[end:].strip(_SPACE):
        raise ValueError(f"text after the value at character {end}")
    return value


def dumps(value: Any, indent: int | None = None, sort_keys: bool = False) -> str:
    """Write a value as JSON text, compact, or with `indent` spaces a level as `json.dumps` does.

    Raises:
        TypeError: a value that JSON has no form for.
        ValueError: NaN or an infinity. Source: RFC 8259, section 6.
    """
    if indent is not None:
        return "".join(_indented(value, "\n", " " * indent, sort_keys))
    return "".join(_encoder(sort_keys)(value, 0))


def _indented(value: Any, line: str, step: str, sort_keys: bool) -> Iterator[str]:
    """Pieces of the text; the C encoder does not indent, and the package that does is not on the start path."""
    if not value or not isinstance(value, (dict, list, tuple)):
        yield from _encoder(sort_keys)(value, 0)
        return
    inner = line + step
    if isinstance(value, dict):
        separator = "{" + inner
        for key in sorted(value) if sort_keys else value:
            # Written through the encoder, which turns a number into the text that json makes of it.
            head = "".join(_encoder(False)({key: 0}, 0))  # {"key":0}
            yield f"{separator}{head[1:-2]} "
            yield from _indented(value[key], inner, step, sort_keys)
            separator = "," + inner
        yield line + "}"
        return
    separator = "[" + inner
    for item in value:
        yield separator
        yield from _indented(item, inner, step, sort_keys)
        separator = "," + inner
    yield line + "]"


def _refuse(value: object) -> Any:
    raise TypeError(f"{type(value).__name__} has no JSON form")


_scan: Callable[[str, int], tuple[Any, int]]
try:
    import _json

    _context: Any = _Context
    _scan = _json.make_scanner(_context)

    def _encoder(sort_keys: bool) -> Any:
        return _json.make_encoder({}, _refuse, _json.encode_basestring, None, ":", ",", sort_keys, False, False)

except (ImportError, AttributeError):  # an interpreter without the C accelerator
    import json

    _scan = json.JSONDecoder(parse_constant=_constant).raw_decode

    def _encoder(sort_keys: bool) -> Any:
        encoder = json.JSONEncoder(
            separators=(",", ":"), sort_keys=sort_keys, ensure_ascii=False, allow_nan=False, default=_refuse
        )
        return lambda value, _level: [encoder.encode(value)]
