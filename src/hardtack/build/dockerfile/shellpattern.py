"""The patterns inside `${name#pattern}` and its kin: `*`, `?` and escapes, over values of bounded length.

A pattern is a list of pieces between stars; a piece is a list of characters where None stands for any one. Each
operation scans the value a fixed number of times, so no pattern can make it slow.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    Piece = list[str | None]

MAX_PATTERN = 1024
MAX_VALUE = 65_536


class BadPattern(ValueError):
    """A pattern that means nothing, or is too long to be meant."""


def compile_pattern(pattern: str) -> list[Piece]:
    r"""Read a pattern into its pieces; `\*`, `\?`, `\\`, `\}` and `\/` are the characters themselves.

    Raises:
        BadPattern: another escape, a lone escape at the end, more than MAX_PATTERN characters.
    """
    if len(pattern) > MAX_PATTERN:
        raise BadPattern(f"a pattern of more than {MAX_PATTERN:,} characters")
    pieces: list[Piece] = [[]]
    chars = iter(pattern)
    for char in chars:
        if char == "*":
            pieces.append([])
        elif char == "?":
            pieces[-1].append(None)
        elif char == "\\":
            escaped = next(chars, "")
            if not escaped or escaped not in "*?\\}/":
                raise BadPattern(f"invalid escape '\\{escaped}'")
            pieces[-1].append(escaped)
        else:
            pieces[-1].append(char)
    return pieces


def trim_prefix(value: str, pattern: str, longest: bool) -> str:
    """Remove the shortest or longest beginning of a value that the pattern matches."""
    end = _match_at(_bounded(value), compile_pattern(pattern), 0, longest)
    return value if end < 0 else value[end:]


def trim_suffix(value: str, pattern: str, longest: bool) -> str:
    """Remove the shortest or longest end of a value that the pattern matches: the prefix rule on the mirror image."""
    pieces = [piece[::-1] for piece in reversed(compile_pattern(pattern))]
    end = _match_at(_bounded(value)[::-1], pieces, 0, longest)
    return value if end < 0 else value[: len(value) - end]


def substitute(value: str, pattern: str, replacement: str, every: bool, limit: int = MAX_VALUE) -> str:
    """Replace the first match, or every match, leftmost and then longest; an empty match changes nothing.

    Raises:
        BadPattern: the result would have more characters than `limit`, or what compile_pattern refuses.
    """
    pieces = compile_pattern(pattern)
    limit -= len(_bounded(value))
    out: list[str] = []
    position = 0
    while True:
        start = _find(value, pieces[0], position)
        end = _match_at(value, pieces, start, True) if start >= 0 else -1
        if end < 0 or end == start:
            break
        limit -= len(replacement)
        if limit < 0:
            raise BadPattern("too long a result")
        out += value[position:start], replacement
        position = end
        if not every:
            break
    out.append(value[position:])
    return "".join(out)


def _bounded(value: str) -> str:
    if len(value) > MAX_VALUE:
        raise BadPattern(f"a value of more than {MAX_VALUE:,} characters")
    return value


def _match_at(value: str, pieces: list[Piece], start: int, longest: bool) -> int:
    """Where the match that begins at `start` ends, -1 when there is none."""
    if not _fits(value, pieces[0], start):
        return -1
    position = start + len(pieces[0])
    if len(pieces) == 1:
        return position
    for piece in pieces[1:-1]:
        found = _find(value, piece, position)
        if found < 0:
            return -1
        position = found + len(piece)
    last = pieces[-1]
    found = _find_last(value, last, position) if longest else _find(value, last, position)
    return -1 if found < 0 else found + len(last)


def _fits(value: str, piece: Piece, at: int) -> bool:
    if at + len(piece) > len(value):
        return False
    return all(char is None or value[at + i] == char for i, char in enumerate(piece))


def _find(value: str, piece: Piece, start: int) -> int:
    if None not in piece:
        return value.find("".join(char for char in piece if char is not None), start)
    for at in range(start, len(value) - len(piece) + 1):
        if _fits(value, piece, at):
            return at
    return -1


def _find_last(value: str, piece: Piece, start: int) -> int:
    if None not in piece:
        return value.rfind("".join(char for char in piece if char is not None), start)
    for at in range(len(value) - len(piece), start - 1, -1):
        if _fits(value, piece, at):
            return at
    return -1
