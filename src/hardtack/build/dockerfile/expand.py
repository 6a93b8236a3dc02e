"""Variables in the words of a Dockerfile: `$x`, `${x}` and its modifiers, quotes and escapes.

A pure function of a word and the variables; nothing is read from the process. It follows what BuildKit does with each
form, except where that loses text. Depth and result are bounded: a Dockerfile cannot grow a value without end.
"""

from __future__ import annotations

from hardtack.build.dockerfile import shellpattern
from hardtack.build.dockerfile.text import is_space
from hardtack.build.errors import DockerfileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_DEPTH = 50
MAX_RESULT = 1 << 20
MAX_WORK = 1 << 23  # characters that the patterns of one word may look at
_SPECIAL = frozenset("@*#?-$!0")


class Expansion:
    """One word taken apart.

    Attributes:
        text: the word with its variables replaced and, unless kept, without quotes and escapes.
        words: the same, split at white space that no quote holds.
        used: names of variables that were set; `missing`: names that were not.
    """

    __slots__ = ("missing", "text", "used", "words")

    def __init__(self, text: str, words: list[str], used: set[str], missing: set[str]) -> None:
        self.text = text
        self.words = words
        self.used = used
        self.missing = missing


def expand(
    source: str,
    variables: Mapping[str, str],
    escape: str = "\\",
    keep_quotes: bool = False,
    keep_escapes: bool = False,
    keep_unset: bool = False,
    plain_quotes: bool = False,
) -> Expansion:
    """Replace the variables of a word.

    Args:
        source: the word as written.
        variables: what is set.
        escape: the escape character.
        keep_quotes, keep_escapes: leave them in the result.
        keep_unset: leave variables that are not set as they were written.
        plain_quotes: quotes are ordinary characters (the content of a here-document).
    Raises:
        DockerfileError: unbalanced quotes or braces, an unknown modifier, `${x?}` of an unset x, nesting deeper than
            MAX_DEPTH, a result of more than MAX_RESULT characters; it carries no place yet.
    """
    if not any(char in source for char in ("$", "<", "'", '"', escape)):
        return Expansion(source, _split(source), set(), set())
    reader = _Reader(source, variables, escape, keep_quotes, keep_escapes, keep_unset, plain_quotes)
    text, words = reader.until("", reader.keep_escapes, False)
    return Expansion(text, words, reader.used, reader.missing)


def _split(text: str) -> list[str]:
    words = _Words()
    words.spaced(text)
    return words.finish()


class _Words:
    """Collects the split form while the text is read."""

    __slots__ = ("done", "word")

    def __init__(self) -> None:
        self.done: list[str] = []
        self.word: list[str] = []

    def spaced(self, text: str) -> None:
        for char in text:
            if not is_space(char):
                self.word.append(char)
            elif self.word:
                self.done.append("".join(self.word))
                self.word = []

    def raw(self, text: str) -> None:
        if text:
            self.word.append(text)

    def finish(self) -> list[str]:
        if self.word:
            self.done.append("".join(self.word))
            self.word = []
        return self.done


class _Reader:
    """A position in one word, and the rules that move it."""

    def __init__(
        self,
        source: str,
        variables: Mapping[str, str],
        escape: str,
        keep_quotes: bool,
        keep_escapes: bool,
        keep_unset: bool,
        plain_quotes: bool,
    ) -> None:
        self.source = source
        self.length = len(source)
        self.position = 0
        self.depth = 0
        self.room = MAX_RESULT
        self.work = MAX_WORK
        self.variables = variables
        self.escape = escape
        self.keep_quotes = keep_quotes
        self.keep_escapes = keep_escapes
        self.keep_unset = keep_unset
        self.plain_quotes = plain_quotes
        self.used: set[str] = set()
        self.missing: set[str] = set()

    def fail(self, reason: str) -> DockerfileError:
        return DockerfileError(f"{reason} in {self.source[:200]!r}")

    def peek(self) -> str:
        return self.source[self.position] if self.position < self.length else ""

    def next(self) -> str:
        char = self.peek()
        self.position += 1
        return char

    def spend(self, text: str) -> str:
        self.room -= len(text)
        if self.room < 0:
            raise DockerfileError(f"the variables make a value of more than {MAX_RESULT:,} characters")
        return text

    def until(self, stop: str, keep_escapes: bool, pattern: bool) -> tuple[str, list[str]]:
        """Read up to a closing character, or to the end when there is none to find.

        Args:
            stop: the closing character, "" for the end of the source.
            keep_escapes: leave escapes in the result.
            pattern: escapes inside quotes are doubled, because the result is read as a pattern again.
        """
        outer, self.keep_escapes = self.keep_escapes, keep_escapes
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise DockerfileError(f"variables nested more than {MAX_DEPTH} deep")
        out: list[str] = []
        words = _Words()
        while self.position < self.length:
            char = self.source[self.position]
            if char == stop:
                break
            self.piece(char, out, words, pattern)
        else:
            if stop:
                raise self.fail(f"no closing {stop!r}")
        self.position += 1
        self.depth -= 1
        self.keep_escapes = outer
        return "".join(out), words.finish()

    def piece(self, char: str, out: list[str], words: _Words, pattern: bool) -> None:
        if char == "$":
            text = self.spend(self.variable())
            words.spaced(text)
        elif char == "<":
            text = self.angle()
            words.raw(text)
        elif char in "'\"" and not self.plain_quotes:
            text = self.single(pattern) if char == "'" else self.double(pattern)
            words.raw(text)
        elif char == self.escape:
            self.position += 1
            escaped = self.next()
            text = (char if self.keep_escapes else "") + escaped
            words.raw(text)
        else:
            self.position += 1
            text = char
            words.spaced(char)
        out.append(text)

    def angle(self) -> str:
        """`<`, or `<<` with the blanks after it, which belong to the word that names a here-document."""
        start = self.position
        self.position += 1
        if self.peek() == "<":
            self.position += 1
            while self.peek() and self.peek() in "\t\r ":
                self.position += 1
        return self.source[start : self.position]

    def single(self, pattern: bool) -> str:
        end = self.source.find("'", self.position + 1)
        if end < 0:
            raise self.fail("no closing single quote")
        inner = self.source[self.position + 1 : end]
        self.position = end + 1
        if pattern:
            inner = inner.replace(self.escape, self.escape * 2)
        return f"'{inner}'" if self.keep_quotes else inner

    def double(self, pattern: bool) -> str:
        out: list[str] = []
        self.position += 1
        while True:
            char = self.peek()
            if not char:
                raise self.fail("no closing double quote")
            if char == "$":
                out.append(self.spend(self.variable()))
                continue
            self.position += 1
            if char == '"':
                break
            if char == self.escape:
                following = self.peek()
                if not following:
                    continue
                if following in ('"', "$", self.escape):
                    out.append(char if self.keep_escapes else "")
                    char = self.next()
                elif self.keep_escapes and (not self.keep_quotes or pattern):
                    out.append(char)
            out.append(char)
        text = "".join(out)
        return f'"{text}"' if self.keep_quotes else text

    def variable(self) -> str:
        self.position += 1
        if self.peek() != "{":
            name = self.name()
            if not name:
                return "$"
            value = self.lookup(name)
            return f"${name}" if value is None and self.keep_unset else value or ""
        self.position += 1
        if self.peek() in ("{", "}", ":"):
            raise self.fail("bad substitution")
        if not self.peek():
            raise self.fail("no closing '}'")
        name = self.name()
        operator = self.next()
        if operator == "}":
            value = self.lookup(name)
            return f"${{{name}}}" if value is None and self.keep_unset else value or ""
        if operator == "/":
            return self.replaced(name)
        return self.modified(name, operator)

    def name(self) -> str:
        start = self.position
        char = self.peek()
        if char.isdigit():
            while self.peek().isdigit():
                self.position += 1
        elif char and char in _SPECIAL:
            self.position += 1
        else:
            while self.peek().isalnum() or self.peek() == "_":
                self.position += 1
        return self.source[start : self.position]

    def lookup(self, name: str) -> str | None:
        value = self.variables.get(name)
        (self.missing if value is None else self.used).add(name)
        return value

    def modified(self, name: str, operator: str) -> str:
        """The forms `-`, `+`, `?` with their `:` variants, and `#`, `##`, `%`, `%%`."""
        empty_counts = operator == ":"
        if empty_counts:
            operator = self.next()
        shown = (":" if empty_counts else "") + operator
        trims = operator in ("#", "%")
        if not operator or operator not in "+-?#%" or (empty_counts and trims):
            raise self.fail(f"unsupported modifier ({shown})")
        word, _ = self.until("}", trims, trims)
        value = self.lookup(name)
        if value is None and self.keep_unset:
            return f"${{{name}{shown}{word}}}"
        unset = value is None or (empty_counts and not value)
        if operator == "-":
            return word if unset else value or ""
        if operator == "+":
            return "" if unset else word
        if operator == "?":
            if unset:
                default = "is not allowed to be unset" if value is None else "is not allowed to be empty"
                raise DockerfileError(f"{name}: {word or default}")
            return value or ""
        return self.trimmed(value or "", operator, word)

    def toil(self, value: str, pattern: str) -> None:
        self.work -= len(value) * (1 + len(pattern) * ("?" in pattern))
        if self.work < 0:
            raise DockerfileError("the patterns of this word take too long to match")

    def trimmed(self, value: str, operator: str, pattern: str) -> str:
        self.toil(value, pattern)
        longest = pattern.startswith(operator)
        trim = shellpattern.trim_prefix if operator == "#" else shellpattern.trim_suffix
        try:
            return trim(value, pattern[1:] if longest else pattern, longest)
        except shellpattern.BadPattern as error:
            raise self.fail(f"bad pattern ({error})") from None

    def replaced(self, name: str) -> str:
        every = self.peek() == "/"
        if every:
            self.position += 1
        pattern, _ = self.until("/", True, True)
        replacement, _ = self.until("}", True, False)
        value = self.lookup(name)
        if value is None and self.keep_unset:
            return f"${{{name}/{'/' if every else ''}{pattern}/{replacement}}}"
        self.toil(value or "", pattern)
        try:
            return shellpattern.substitute(value or "", pattern, replacement, every, self.room)
        except shellpattern.BadPattern as error:
            raise self.fail(f"bad pattern ({error})") from None
