"""Byte ranges: what a download asks for, and where a chunk of an upload says that it belongs.

Pure functions over header text. A range that cannot be read is ignored, as HTTP wants it, except one that runs
backwards, which is answered as unsatisfiable.

Source: RFC 9110, section 14; OCI distribution-spec 1.1, "Pushing a blob in chunks".
"""

from __future__ import annotations

import re

_RANGE = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*", re.IGNORECASE)
_CHUNK = re.compile(r"(?:bytes[ =])?([0-9]{1,18})-([0-9]{1,18})(?:/(?:\*|[0-9]{1,18}))?")


class Unsatisfiable(ValueError):
    """No byte of the content lies in the range."""


def requested(header: str, size: int) -> tuple[int, int] | None:
    """Which bytes a Range header asks for.

    Args:
        header: its text; several ranges at once are ignored, as a server may.
        size: of the whole content.
    Returns:
        First byte and length, or None for the whole content.
    Raises:
        Unsatisfiable: the range lies beyond the end, is empty or runs backwards.
    """
    match = _RANGE.fullmatch(header)
    if match is None:
        return None
    first, last = match[1], match[2]
    if not first and not last:
        return None
    if not first:
        length = min(int(last), size)
        start = size - length
    else:
        start = int(first)
        end = min(int(last), size - 1) if last else size - 1
        if last and int(last) < start:
            raise Unsatisfiable(header)
        length = end - start + 1
    if length <= 0 or start >= size:
        raise Unsatisfiable(header)
    return start, length


def chunk(header: str) -> tuple[int, int] | None:
    """Where a chunk belongs, from its Content-Range header.

    Returns:
        First and last byte, both included, or None when the header cannot be read or runs backwards.
    """
    match = _CHUNK.fullmatch(header.strip())
    if match is None:
        return None
    first, last = int(match[1]), int(match[2])
    return None if last < first else (first, last)


def held(offset: int) -> str:
    """The Range header that tells how much of an upload is held; an empty one is told as `0-0`, as docker does."""
    return f"0-{max(0, offset - 1)}"


def matches(header: str, tag: str) -> bool:
    """Whether an If-None-Match header names an entity tag.

    Args:
        tag: as in the ETag header, quotes included.
    Source: RFC 9110, section 13.1.2 (weak comparison).
    """
    return any(part.strip().removeprefix("W/") in (tag, "*") for part in header.split(","))
