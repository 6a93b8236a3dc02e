"""Range, Content-Range and entity tags, against RFC 9110 read by hand."""

from __future__ import annotations

from fuzz.harness import Harness, text_of
from hardtack.registry.api import ranges

_SIZES = (0, 1, 10, 1 << 40)


def _number(text: str) -> int | None:
    return int(text) if text and len(text) <= 18 and text.isascii() and text.isdigit() else None


def _expected(text: str, size: int) -> tuple[int, int] | str | None:
    """Offset and length, "none of it", or None for "not understood, so all of it"."""
    unit, equals, rest = text.partition("=")
    first, dash, last = rest.strip().partition("-")
    if not equals or unit.lower() != "bytes" or not dash:
        return None
    start, end = _number(first), _number(last)
    if (first and start is None) or (last and end is None) or (start is None and end is None):
        return None
    if start is None:
        assert end is not None
        return (max(0, size - end), min(end, size)) if size and end else "none of it"
    if start >= size or (end is not None and end < start):
        return "none of it"
    return start, (size - 1 if end is None else min(end, size - 1)) - start + 1


def asked(data: bytes) -> None:
    """The Range header of a download."""
    text = text_of(data)
    for size in _SIZES:
        try:
            found: object = ranges.requested(text, size)
        except ranges.Unsatisfiable:
            found = "none of it"
        if not text.isascii() or not text.isprintable():
            # Which kinds of white space count is nobody's business; a range it gives lies within the content.
            assert not isinstance(found, tuple) or 0 <= found[0] < found[0] + found[1] <= size
            continue
        assert found == _expected(text, size), (text, size)


def chunk(data: bytes) -> None:
    """The Content-Range header of an upload."""
    text = text_of(data)
    found = ranges.chunk(text)
    if found is None:
        return
    first, last = found
    assert 0 <= first <= last < 10**18
    plain = text.strip().removeprefix("bytes").lstrip(" =").partition("/")[0]
    assert plain == f"{plain.partition('-')[0]}-{plain.partition('-')[2]}"
    assert tuple(map(int, plain.split("-"))) == found
    assert ranges.chunk(f"{first}-{last}") == found
    assert ranges.held(last + 1) == f"0-{last}"


def entity_tags(data: bytes) -> None:
    """If-None-Match: whatever else a list names, it matches exactly what it contains."""
    text = text_of(data)
    tag = '"sha256:0"'
    named = [part.strip() for part in text.split(",")]
    assert ranges.matches(text, tag) == any(part in (tag, f"W/{tag}", "*", "W/*") for part in named)
    assert ranges.matches(f"{text},{tag}", tag)


HARNESSES = {
    "range": Harness(
        asked,
        (
            b"bytes=0-",
            b"bytes=3-5",
            b"bytes=-4",
            b"bytes= 1-2 ",
            b"bytes= -",
            b"bytes=-",
            b"bytes=0-0,2-2",
            b"bytes=5-4",
        ),
    ),
    "chunk": Harness(
        chunk, (b"0-9", b"bytes 0-9/*", b"bytes=5-5/10", b"9-0", b"0-" + b"9" * 18, b"bytes  1-2", b"1-2/")
    ),
    "entity-tags": Harness(entity_tags, (b'"a", "sha256:0"', b'W/"sha256:0"', b"*", b'","sha256:0","', b",,,")),
}
