"""Templates as tokens: stretches of text, and the words inside of {{ }}, with where they stand.

Source: Go, text/template/parse/lex.go.
"""

from __future__ import annotations

from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SPACE = " \t\r\n"
# kinds of tokens
TEXT, FIELD, VARIABLE, WORD, STRING, NUMBER, PUNCTUATION, BLANK, OPEN, CLOSE = range(10)
_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
}
_HEX_ESCAPES = {"x": 2, "u": 4, "U": 8}


class TemplateError(TackError):
    """A template that cannot be read or filled. Its message begins as Go's does: `template: :LINE:COLUMN: `."""

    def __init__(self, text: str, position: int, why: str, hint: str = "") -> None:
        line = text.count("\n", 0, position) + 1
        column = position - (text.rfind("\n", 0, position) + 1)
        super().__init__(f"template: :{line}:{column}: {why}", hint)


class Token:
    """A kind, the value it stands for, and where it begins and ends."""

    __slots__ = ("end", "kind", "position", "value")

    def __init__(self, kind: int, value: str, position: int, end: int) -> None:
        self.kind = kind
        self.value = value
        self.position = position
        self.end = end


def tokens(text: str) -> Iterator[Token]:
    """Cut a template. Text has its trim markers applied; each action is OPEN, its words, CLOSE.

    Raises:
        TemplateError: an action or a string without end, a character that means nothing.
    """
    position = 0
    trim_left = False
    while True:
        start = text.find("{{", position)
        stretch = text[position:] if start < 0 else text[position:start]
        if trim_left:
            stretch = stretch.lstrip(SPACE)
        if start < 0:
            if stretch:
                yield Token(TEXT, stretch, position, len(text))
            return
        inside = start + 2
        if text[inside : inside + 1] == "-" and text[inside + 1 : inside + 2] in tuple(SPACE):
            stretch = stretch.rstrip(SPACE)
            inside += 2
        if stretch:
            yield Token(TEXT, stretch, position, start)
        if text.startswith("/*", inside):
            position, trim_left = _comment(text, start, inside)
            continue
        yield Token(OPEN, "{{", start, inside)
        lexer = _Action(text, start, inside)
        yield from lexer.words()
        position, trim_left = lexer.position, lexer.trim
        yield Token(CLOSE, "}}", lexer.closed_at, position)


def _comment(text: str, start: int, inside: int) -> tuple[int, bool]:
    end = text.find("*/", inside + 2)
    if end < 0:
        raise TemplateError(text, start, "unclosed comment")
    end += 2
    if text[end : end + 1] and text[end] in SPACE and text.startswith("-}}", end + 1):
        return end + 4, True
    if not text.startswith("}}", end):
        raise TemplateError(text, start, "comment ends before closing delimiter")
    return end + 2, False


class _Action:
    __slots__ = ("closed_at", "position", "start", "text", "trim")

    def __init__(self, text: str, start: int, position: int) -> None:
        self.text = text
        self.start = start
        self.position = position
        self.closed_at = position
        self.trim = False

    def words(self) -> Iterator[Token]:
        text = self.text
        while True:
            begin = self.position
            character = text[begin : begin + 1]
            if not character:
                raise TemplateError(text, self.start, "unclosed action")
            if character in SPACE:
                while text[self.position : self.position + 1] in tuple(SPACE):
                    self.position += 1
                if text.startswith("-}}", self.position):
                    self.closed_at, self.position, self.trim = self.position, self.position + 3, True
                    return
                yield Token(BLANK, " ", begin, self.position)
            elif text.startswith("}}", begin):
                self.closed_at, self.position = begin, begin + 2
                return
            else:
                yield self._word(begin, character)

    def _word(self, begin: int, character: str) -> Token:
        text = self.text
        if character == '"':
            return self._string(begin)
        if character == "`":
            end = text.find("`", begin + 1)
            if end < 0:
                raise TemplateError(text, begin, "unterminated raw quoted string")
            self.position = end + 1
            return Token(STRING, text[begin + 1 : end], begin, self.position)
        if character == "'":
            return self._character(begin)
        following = text[begin + 1 : begin + 2]
        if character.isdecimal() or (character in "+-." and following.isdecimal()):
            return self._run(NUMBER, begin, lambda c: c.isalnum() or c in "._+-")
        if character == ".":
            return self._run(FIELD, begin, _in_name)
        if character == "$":
            return self._run(VARIABLE, begin, _in_name)
        if _in_name(character):
            return self._run(WORD, begin, _in_name)
        if text.startswith(":=", begin):
            self.position = begin + 2
            return Token(PUNCTUATION, ":=", begin, begin + 2)
        if character in "=|(),":
            self.position = begin + 1
            return Token(PUNCTUATION, character, begin, begin + 1)
        raise TemplateError(text, begin, f"unexpected {character!r} in action")

    def _run(self, kind: int, begin: int, fits: Callable[[str], bool]) -> Token:
        end = begin + 1
        while end < len(self.text) and fits(self.text[end]):
            end += 1
        self.position = end
        return Token(kind, self.text[begin:end], begin, end)

    def _string(self, begin: int) -> Token:
        end = begin + 1
        while True:
            character = self.text[end : end + 1]
            if character in ("", "\n"):
                raise TemplateError(self.text, begin, "unterminated quoted string")
            if character == '"':
                break
            end += 2 if character == "\\" else 1
        self.position = end + 1
        return Token(STRING, self._unquoted(begin + 1, end), begin, self.position)

    def _character(self, begin: int) -> Token:
        end = self.text.find("'", begin + (3 if self.text[begin + 1 : begin + 2] == "\\" else 2))
        value = self._unquoted(begin + 1, end) if end > 0 else ""
        if len(value) != 1:
            raise TemplateError(self.text, begin, "malformed character constant")
        self.position = end + 1
        return Token(NUMBER, str(ord(value)), begin, self.position)

    def _unquoted(self, begin: int, end: int) -> str:
        text = self.text
        if "\\" not in text[begin:end]:
            return text[begin:end]
        out = []
        while begin < end:
            character = text[begin]
            begin += 1
            if character != "\\":
                out.append(character)
                continue
            mark = text[begin]
            begin += 1
            if mark in _ESCAPES:
                out.append(_ESCAPES[mark])
                continue
            digits = _HEX_ESCAPES.get(mark, 0)
            try:
                out.append(chr(int(text[begin : begin + digits], 16)))
            except (ValueError, OverflowError):
                raise TemplateError(text, begin - 2, "invalid escape in string") from None
            begin += digits
        return "".join(out)


def _in_name(character: str) -> bool:
    return character == "_" or character.isalnum()
