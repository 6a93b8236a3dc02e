"""The lines of a Dockerfile become statements: directives, comments, continuations and here-documents are resolved.

Positions are exact: a statement knows the first and last line it came from. Nothing here knows what an instruction
means; only that ADD, COPY and RUN may carry here-documents.
"""

from __future__ import annotations

from hardtack.build.dockerfile.expand import expand
from hardtack.build.dockerfile.text import SPACES, json_words, nearest, split_blanks, take_flags
from hardtack.build.errors import DockerfileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FILE = 4 << 20
MAX_LINES = 100_000
MAX_HEREDOCS = 64
DIRECTIVES = ("syntax", "escape", "check")
_WITH_HEREDOCS = frozenset(("ADD", "COPY", "RUN"))


class Heredoc:
    """A here-document: `expands` unless its word was quoted; `chomp` removes leading tabs (`<<-`)."""

    __slots__ = ("chomp", "content", "descriptor", "expands", "name")

    def __init__(self, name: str, expands: bool, chomp: bool, descriptor: int, content: str = "") -> None:
        self.name = name
        self.expands = expands
        self.chomp = chomp
        self.descriptor = descriptor
        self.content = content

    def text(self) -> str:
        """The content as the reader of the document sees it."""
        if not self.chomp:
            return self.content
        return "\n".join(line.lstrip("\t") for line in self.content.split("\n"))


class Statement:
    """One instruction as written.

    Attributes:
        keyword: in upper case; `flags`: the `--name=value` words without quotes; `rest`: what follows them.
        source: the joined line; `line`, `end`: first and last line, from 1.
        comments: the comment lines right above; `heredocs`: in order.
    """

    __slots__ = ("comments", "end", "flags", "heredocs", "keyword", "line", "rest", "source")

    def __init__(self, source: str, line: int, end: int, escape: str, comments: list[str]) -> None:
        self.source = source.strip(SPACES)
        self.line = line
        self.end = end
        self.comments = comments
        self.heredocs: list[Heredoc] = []
        self.keyword, self.flags, self.rest = split_statement(self.source, escape)


class Lines:
    """A Dockerfile's statements with its directives.

    Attributes:
        name: shown in errors; `lines`: the raw lines; `escape`: the escape character; `syntax`, `check`: directives.
        empty_continuations: numbers of blank lines inside continuations, which docker warns of.
    """

    __slots__ = ("check", "empty_continuations", "escape", "lines", "name", "statements", "syntax")

    def __init__(self, name: str, lines: list[str]) -> None:
        self.name = name
        self.lines = lines
        self.escape = "\\"
        self.syntax = ""
        self.check = ""
        self.empty_continuations: list[int] = []
        self.statements: list[Statement] = []

    def error(self, fault: DockerfileError, line: int) -> DockerfileError:
        """The fault with this file's name, the line and its text."""
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        return fault.placed(line, text.rstrip("\r\n"), self.name)


def split_statement(source: str, escape: str) -> tuple[str, list[str], str]:
    """Split an instruction into keyword (upper case), flags and the rest."""
    keyword, _, rest = _cut_blanks(source)
    flags, rest = take_flags(rest, escape)
    return keyword.upper(), flags, rest.strip(SPACES)


def _cut_blanks(text: str) -> tuple[str, str, str]:
    pieces = split_blanks(text, 2)
    return (pieces[0], " ", pieces[1]) if len(pieces) == 2 else (pieces[0], "", "")


def read_lines(data: bytes | str, name: str = "Dockerfile") -> Lines:
    """Resolve the lines of a Dockerfile.

    Args:
        data: the file's content, UTF-8.
        name: how errors call the file.
    Raises:
        DockerfileError: too large, not UTF-8, a NUL character, a bad directive, an unfinished here-document.
    """
    if len(data) > MAX_FILE:
        raise DockerfileError(f"more than {MAX_FILE >> 20} MiB", file=name)
    text = _decode(data, name)
    lines = text.split("\n")
    whole = not lines[-1]
    if whole:
        lines.pop()
    if len(lines) > MAX_LINES:
        raise DockerfileError(f"more than {MAX_LINES:,} lines", file=name)
    result = Lines(name, lines)
    scanner = _Scanner(result, whole)
    while scanner.position < len(lines):
        line = scanner.position + 1
        try:
            statement = scanner.statement()
        except DockerfileError as fault:
            raise result.error(fault, fault.line or line) from None
        if statement is not None:
            result.statements.append(statement)
    return result


def _decode(data: bytes | str, name: str) -> str:
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DockerfileError("not UTF-8 text", line, file=name) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DockerfileError("a NUL character", line, file=name)
    return text.removeprefix("\ufeff")


class _Scanner:
    """Reads statements from the lines, one at a time."""

    def __init__(self, result: Lines, whole: bool) -> None:
        self.result = result
        self.lines = result.lines
        self.whole = whole  # the last line ends as every other
        self.position = 0
        self.directives = True
        self.seen: set[str] = set()
        self.comments: list[str] = []

    def statement(self) -> Statement | None:
        """The next statement, or None when the line holds none."""
        raw = self.lines[self.position].rstrip("\r").lstrip(SPACES)
        self.position += 1
        if raw.startswith("#"):
            if not self._directive(raw):
                self._comment(raw)
            return None
        self.directives = False
        text, continues = self._continuation(raw)
        if not continues and not text:
            return None
        line = self.position
        joined = [text, *self._continued()] if continues else [text]
        statement = Statement("".join(joined), line, self.position, self.result.escape, self.comments)
        self.comments = []
        if not statement.source:
            return None
        if "<<" in statement.source and _may_have_heredocs(statement, self.result.escape):
            self._heredocs(statement)
        return statement

    def _comment(self, raw: str) -> None:
        comment = raw[1:].strip(SPACES)
        if comment:
            self.comments.append(comment)
        else:
            self.comments = []

    def _directive(self, raw: str) -> bool:
        """Read a parser directive; the first line that is none ends them. Source: Dockerfile reference, directives."""
        if not self.directives:
            return False
        name, equals, value = raw[1:].lstrip(SPACES).partition("=")
        name, value = name.rstrip(SPACES).lower(), value.strip(SPACES)
        if not equals or not value or name not in DIRECTIVES:
            self.directives = False
            return False
        if name in self.seen:
            raise DockerfileError(f"only one {name} parser directive can be used")
        self.seen.add(name)
        if name == "escape" and value not in ("\\", "`"):
            raise DockerfileError(f"invalid escape character {value[:40]!r}", hint="It is \\ or `")
        setattr(self.result, name, value)
        return True

    def _continuation(self, line: str) -> tuple[str, bool]:
        """The line without its continuation character, and whether it had one."""
        escape = self.result.escape
        bare = line.rstrip(" \t")
        if bare.endswith(escape) and (len(bare) == 1 or bare[-2] != escape):
            return bare[:-1], True
        return line, False

    def _continued(self) -> Iterator[str]:
        """The following lines of a statement; comments are skipped, blank lines too, with a note."""
        while self.position < len(self.lines):
            raw = self.lines[self.position].rstrip("\r")
            self.position += 1
            bare = raw.lstrip(SPACES)
            if bare.startswith("#"):
                continue
            if not bare:
                self.result.empty_continuations.append(self.position)
                continue
            text, continues = self._continuation(raw)
            yield text
            if not continues:
                return

    def _heredocs(self, statement: Statement) -> None:
        documents = heredocs_of(statement.source)
        if len(documents) > MAX_HEREDOCS:
            raise DockerfileError(f"more than {MAX_HEREDOCS} here-documents", statement.line)
        for document in documents:
            content: list[str] = []
            while True:
                if self.position >= len(self.lines):
                    raise DockerfileError(
                        f"the here-document {document.name!r} does not end",
                        statement.line,
                        hint=f"A line with {document.name} alone must follow",
                    )
                line = self.lines[self.position]
                self.position += 1
                bare = line.rstrip("\r")
                if (bare.lstrip("\t") if document.chomp else bare) == document.name:
                    break
                content.append(line + ("\n" if self.whole or self.position < len(self.lines) else ""))
            document.content = "".join(content)
            statement.heredocs.append(document)
        statement.end = self.position


def _may_have_heredocs(statement: Statement, escape: str) -> bool:
    keyword, rest = statement.keyword, statement.rest
    if keyword == "ONBUILD":
        keyword, _, rest = split_statement(rest, escape)
    if keyword not in _WITH_HEREDOCS:
        return False
    try:
        return json_words(rest) is None
    except DockerfileError:
        return False  # the instruction's own parser says it better


def heredocs_of(source: str) -> list[Heredoc]:
    """The here-documents that a line announces; none when its quotes do not balance."""
    try:
        words = expand(source, {}, keep_quotes=True, keep_escapes=True, keep_unset=True).words
    except DockerfileError:
        return []
    found = (heredoc_of(word) for word in words if "<<" in word)
    return [document for document in found if document is not None]


def heredoc_of(word: str) -> Heredoc | None:
    """Read `[fd]<<[-]NAME`; quotes around the name switch expansion off. None when the word is something else."""
    digits, arrows, rest = word.partition("<<")
    if not arrows or (digits and not (digits.isascii() and digits.isdigit())) or "<" in rest:
        return None
    chomp = rest.startswith("-")
    rest = (rest[1:] if chomp else rest).lstrip("\t\n\v\f\r ")
    try:
        bare = expand(rest, {}, keep_unset=True).words
        raw = expand(rest, {}, keep_quotes=True, keep_unset=True).words
    except DockerfileError:
        return None
    if len(bare) != 1 or len(raw) != 1:
        return None
    quotes = [word.count("'") + word.count('"') for word in (bare[0], raw[0])]
    return Heredoc(bare[0], quotes[0] == quotes[1], chomp, int(digits[:9] or 0))


def unknown_keyword(keyword: str, known: tuple[str, ...]) -> DockerfileError:
    """The fault of an instruction that does not exist, with the likely meant one."""
    guess = nearest(keyword, known)
    return DockerfileError(f"unknown instruction: {keyword[:60]}" + (f" (did you mean {guess}?)" if guess else ""))
