"""Patterns for names, as Go's path.Match reads them: `*` and `?` stop at a slash, `[a-z]`, `[^a]`, backslash escapes.

No regular expressions: a pattern costs at most its length times the text's.
"""

from __future__ import annotations

from hardtack.image.filters import FilterError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Token = Callable[[str], bool] | None  # what one character must be; None for a star


def path_matches(pattern: str, text: str) -> bool:
    """Whether the whole text fits the pattern.

    Raises:
        FilterError: a bracket that is not closed, an empty one, a range or a backslash at the end.
    """
    parts: list[list[Token]] = [[]]
    position = 0
    while position < len(pattern):
        if pattern[position] == "/":
            parts.append([])
            position += 1
            continue
        token, position = _token(pattern, position)
        parts[-1].append(token)
    pieces = text.split("/")
    return len(pieces) == len(parts) and all(map(_fits, parts, pieces))


def _fits(tokens: list[Token], text: str) -> bool:
    # When a character does not fit, only the last star can take one more: no earlier one could do better.
    at, here, star, resume = 0, 0, -1, 0
    while here < len(text):
        token = tokens[at] if at < len(tokens) else _nothing
        if token is None:
            star, resume, at = at, here, at + 1
        elif token(text[here]):
            at, here = at + 1, here + 1
        elif star >= 0:
            resume += 1
            at, here = star + 1, resume
        else:
            return False
    return all(token is None for token in tokens[at:])


def _nothing(_: str) -> bool:
    return False


def _anything(_: str) -> bool:
    return True


def _token(pattern: str, position: int) -> tuple[Token, int]:
    character = pattern[position]
    if character == "*":
        return None, position + 1
    if character == "?":
        return _anything, position + 1
    if character == "[":
        return _bracket(pattern, position + 1)
    character, position = _plain(pattern, position)
    return character.__eq__, position


def _bracket(pattern: str, position: int) -> tuple[Token, int]:
    negated = pattern[position : position + 1] == "^"
    position += negated
    ranges: list[tuple[str, str]] = []
    while pattern[position : position + 1] != "]" or not ranges:
        if pattern[position : position + 1] in ("", "-", "]"):
            raise _bad(pattern)
        low, position = _plain(pattern, position)
        high = low
        if pattern[position : position + 1] == "-":
            high, position = _plain(pattern, position + 1)
        ranges.append((low, high))
    return (lambda one: any(low <= one <= high for low, high in ranges) != negated), position + 1


def _plain(pattern: str, position: int) -> tuple[str, int]:
    if pattern[position : position + 1] == "\\":
        position += 1
    if position >= len(pattern):
        raise _bad(pattern)
    return pattern[position], position + 1


def _bad(pattern: str) -> FilterError:
    return FilterError(f"invalid filter 'reference={pattern}': the pattern cannot be read")
