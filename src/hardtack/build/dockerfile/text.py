"""The characters and words of a Dockerfile: spaces, quoted words, flags, JSON arrays, quoting back.

Everything here scans a string once, left to right, and knows nothing of single instructions. White space is what Go
counts as such, because the existing tools are written in it; two Dockerfiles must not differ by the tool.
"""

from __future__ import annotations

from hardtack.build.errors import DockerfileError
from hardtack.jsontext import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f"
    "\u205f\u3000"
)
_SPACE_SET = frozenset(SPACES)
_BLANKS = frozenset("\t\v\f\r ")  # what separates arguments; a line never holds \n


def is_space(char: str) -> bool:
    """Whether a character is white space. Source: Go, unicode.IsSpace."""
    return char in _SPACE_SET


def split_blanks(text: str, limit: int = -1) -> list[str]:
    """Split at runs of blanks; leading and trailing runs give empty words, as a regular expression would.

    Args:
        limit: the most pieces to return, the rest stays in the last; negative for no bound.
    """
    pieces: list[str] = []
    start = position = 0
    length = len(text)
    while position < length and (limit < 0 or len(pieces) < limit - 1):
        if text[position] not in _BLANKS:
            position += 1
            continue
        pieces.append(text[start:position])
        while position < length and text[position] in _BLANKS:
            position += 1
        start = position
    pieces.append(text[start:])
    return pieces


def split_words(text: str, escape: str) -> list[str]:
    """Split at white space outside quotes; quotes and escapes stay in the words for the expansion to read.

    Args:
        text: the arguments of an instruction.
        escape: the escape character, a backslash unless a directive changed it.
    """
    words: list[str] = []
    word: list[str] = []
    quote = ""
    seen = False
    position, length = 0, len(text)
    while position < length:
        char = text[position]
        position += 1
        if quote:
            if char == quote:
                quote = ""
            elif char == escape and quote != "'":
                if position == length:
                    break
                word.append(char)
                char = text[position]
                position += 1
        elif char in _SPACE_SET:
            if word or seen:
                words.append("".join(word))
            word, seen = [], False
            continue
        elif char in "'\"":
            quote, seen = char, True
        elif char == escape:
            if position == length:
                break
            word.append(char)
            char = text[position]
            position += 1
        word.append(char)
    if word or seen:
        words.append("".join(word))
    return words


def take_flags(text: str, escape: str) -> tuple[list[str], str]:
    """Take the leading `--name=value` words; quotes are removed from them.

    Returns:
        The flags in order, and the rest of the text from the first word that is none (or after a bare `--`).
    """
    flags: list[str] = []
    position, length = 0, len(text)
    while True:
        while position < length and text[position] in _SPACE_SET:
            position += 1
        if not text.startswith("--", position):
            return flags, text[position:]
        word, position = _flag_word(text, position, escape)
        if word == "--":
            return flags, text[position:]
        flags.append(word)


def _flag_word(text: str, position: int, escape: str) -> tuple[str, int]:
    word: list[str] = []
    quote = ""
    length = len(text)
    while position < length:
        char = text[position]
        if not quote and char in _SPACE_SET:
            break
        position += 1
        if quote and char == quote:
            quote = ""
            continue
        if not quote and char in "'\"":
            quote = char
            continue
        if char == escape:
            if position == length:
                break
            char = text[position]
            position += 1
        word.append(char)
    return "".join(word), position


def json_words(text: str) -> list[str] | None:
    """Read the exec form, a JSON array of strings.

    Returns:
        The strings, or None when the text is no JSON array and so is the shell form.
    Raises:
        DockerfileError: an array with something else than strings in it.
    """
    text = text.strip(SPACES)
    if not text.startswith("["):
        return None
    try:
        value = loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, list):
        return None
    for item in value:
        if not isinstance(item, str):
            raise DockerfileError("the JSON form takes an array of strings only")
    return [_whole(item) for item in value]


def _whole(text: str) -> str:
    """Halves of a surrogate pair cannot be written anywhere; Go replaces them, and so do we."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def csv_fields(text: str) -> list[str]:
    """Split one line of comma-separated values; a field in double quotes may hold commas and doubled quotes.

    Raises:
        DockerfileError: a quote that does not close or stands inside a field. Source: RFC 4180, section 2.
    """
    fields: list[str] = []
    position, length = 0, len(text)
    while True:
        if text.startswith('"', position):
            field, position = _quoted_field(text, position + 1)
            if position < length and text[position] != ",":
                raise DockerfileError("a quoted field must end at a comma")
        else:
            end = text.find(",", position)
            end = length if end < 0 else end
            field, position = text[position:end], end
            if '"' in field:
                raise DockerfileError("a quote may only open a field")
        fields.append(field)
        if position >= length:
            return fields
        position += 1


def _quoted_field(text: str, position: int) -> tuple[str, int]:
    parts: list[str] = []
    while True:
        end = text.find('"', position)
        if end < 0:
            raise DockerfileError("a quoted field does not end")
        parts.append(text[position:end])
        if not text.startswith('""', end):
            return "".join(parts), end + 1
        parts.append('"')
        position = end + 2


_QUOTED = {
    '"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"
}  # fmt: skip


def quote(text: str) -> str:
    """A string in double quotes as the history of images shows it. Source: Go, strconv.Quote."""
    return '"' + "".join(_QUOTED.get(c) or (c if c.isprintable() else _escaped(ord(c))) for c in text) + '"'


def _escaped(code: int) -> str:
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def quote_list(words: Iterable[str]) -> str:
    """Several strings as Go prints a list of quoted ones: `["a" "b"]`."""
    return "[" + " ".join(quote(word) for word in words) + "]"


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that a typing error away from this one, or "" when none is near.

    Near means at most two letters changed, added, left out or swapped, and not more than a third of the word.
    """
    best, least = "", min(2, max(1, len(word) // 3)) + 1
    if len(word) > 40:
        return ""
    for candidate in known:
        distance = _distance(word.lower(), candidate.lower())
        if distance < least:
            best, least = candidate, distance
    return best


def _distance(a: str, b: str) -> int:
    """How many letters are changed, added, left out, or swapped with their neighbour."""
    before: list[int] = []
    previous = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        row = [i]
        for j, right in enumerate(b, 1):
            least = min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (left != right))
            if before and j > 1 and left == b[j - 2] and a[i - 2] == right:
                least = min(least, before[j - 2] + 1)
            row.append(least)
        before, previous = previous, row
    return previous[-1]
