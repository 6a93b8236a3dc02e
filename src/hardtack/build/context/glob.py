"""Path patterns as automata that read a path piece by piece: `*`, `?`, `[a-z]`, `**`.

The states of a pattern are the bits of one integer, so a character costs a few machine operations whatever the
pattern, and a folder's states are shared by everything below it: most patterns are dead after their first letters.
No pattern can make matching slow. Two dialects: paths of COPY (Go's filepath.Match) and of .dockerignore, which
adds `**`.
"""

from __future__ import annotations

from hardtack.build.errors import BuildError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Test = Callable[[str], bool]

MAX_PATTERN = 4096
WILDCARDS = frozenset("*?[\\")


class BadPattern(BuildError):
    """A pattern that cannot be read."""

    def __init__(self, pattern: str, reason: str) -> None:
        super().__init__(f"the pattern {pattern[:100]!r} cannot be used: {reason}")
        self.pattern = pattern
        self.reason = reason


class Glob:
    """A compiled pattern.

    Args:
        pattern: as written, cleaned.
        deep: `**` has a meaning of its own. Source: moby/patternmatcher.
    Raises:
        BadPattern: a set that does not close or is empty, an escape of nothing, more than MAX_PATTERN characters.
    """

    __slots__ = ("_advance", "_any", "_final", "_jump", "_loops", "_skip", "_slash", "_tests", "_wide", "start")

    def __init__(self, pattern: str, deep: bool = False) -> None:
        if len(pattern) > MAX_PATTERN:
            raise BadPattern(pattern, f"it has more than {MAX_PATTERN:,} characters")
        self._advance: dict[str, int] = {}  # by character: states it leads on from
        self._tests: list[tuple[int, Test]] = []  # states with a set, asked once per character
        self._any = 0  # states that any character but "/" leads on from
        self._slash = 0  # states that "/" leads on from although they also loop
        self._loops = 0  # states that stay on any character but "/"
        self._wide = 0  # states that stay on any character
        self._skip = 0  # states that may be passed over by one
        self._jump = 0  # and by two
        bit = _Compiler(self, pattern, deep).run()
        self._final = 1 << bit
        self.start = self._closed(1)

    def feed(self, states: int, text: str) -> int:
        """Read characters; 0 means that nothing beginning like this can match."""
        for char in text:
            if not states:
                return 0
            known = self._advance.get(char)
            if known is None:
                known = self._learn(char)
            stay = self._wide if char == "/" else self._wide | self._loops
            states = self._closed((states & known) << 1 | states & stay)
        return states

    def accepts(self, states: int) -> bool:
        """Whether what was read so far matches as a whole."""
        return bool(states & self._final)

    def matches(self, text: str) -> bool:
        """Whether a whole path matches."""
        return self.accepts(self.feed(self.start, text))

    def _learn(self, char: str) -> int:
        found = self._slash if char == "/" else self._any
        for bit, test in self._tests:
            if test(char):
                found |= bit
        self._advance[char] = found
        return found

    def _closed(self, states: int) -> int:
        skip, jump = self._skip, self._jump
        while True:
            more = states | (states & skip) << 1 | (states & jump) << 2
            if more == states:
                return states
            states = more


class _Compiler:
    """Reads a pattern left to right and gives every piece its bits."""

    def __init__(self, glob: Glob, pattern: str, deep: bool) -> None:
        self.glob = glob
        self.pattern = pattern
        self.deep = deep
        self.position = 0
        self.bit = 0
        self.literals: dict[str, int] = {}

    def run(self) -> int:
        pattern, glob = self.pattern, self.glob
        if self.deep and pattern.startswith("**") and not WILDCARDS.intersection(pattern[2:]) and pattern[2:3] != "/":
            self.position = 2  # "**name" means any path that ends in name
            self._everything()
        while self.position < len(pattern):
            char = pattern[self.position]
            self.position += 1
            if char == "*":
                self._star()
            elif char == "?":
                glob._any |= 1 << self.bit
                self.bit += 1
            elif char == "[":
                glob._tests.append((1 << self.bit, self._set()))
                self.bit += 1
            else:
                if char == "\\":
                    if self.position >= len(pattern):
                        raise BadPattern(pattern, "it ends in an escape of nothing")
                    char = pattern[self.position]
                    self.position += 1
                self.literals[char] = self.literals.get(char, 0) | 1 << self.bit
                self.bit += 1
        for char, bits in self.literals.items():
            glob._advance[char] = bits | glob._learn(char)
        return self.bit

    def _star(self) -> None:
        pattern, glob = self.pattern, self.glob
        if not (self.deep and pattern.startswith("*", self.position)):
            while pattern.startswith("*", self.position) and not self.deep:
                self.position += 1
            glob._loops |= 1 << self.bit
            glob._skip |= 1 << self.bit
            self.bit += 1
            return
        self.position += 1
        if pattern.startswith("/", self.position):
            self.position += 1
        if self.position >= len(pattern):
            self._everything()
            return
        entry = 1 << self.bit  # any number of folders: pass over, or stay in the second state until a "/"
        glob._skip |= entry
        glob._jump |= entry
        glob._wide |= entry << 1
        glob._slash |= entry << 1
        self.bit += 2

    def _everything(self) -> None:
        self.glob._wide |= 1 << self.bit
        self.glob._skip |= 1 << self.bit
        self.bit += 1

    def _set(self) -> Test:
        """A set in brackets; `^` at its start turns it round. Source: Go, path/filepath, Match."""
        pattern = self.pattern
        negated = pattern.startswith("^", self.position)
        self.position += negated
        ranges: list[tuple[str, str]] = []
        while True:
            if pattern.startswith("]", self.position) and ranges:
                self.position += 1
                return lambda char: any(low <= char <= high for low, high in ranges) != negated
            low = high = self._member()
            if pattern.startswith("-", self.position):
                self.position += 1
                high = self._member()
            ranges.append((low, high))

    def _member(self) -> str:
        pattern = self.pattern
        char = pattern[self.position : self.position + 1]
        if char == "\\":
            self.position += 1
            char = pattern[self.position : self.position + 1]
        elif char in ("-", "]"):
            raise BadPattern(pattern, "a set of characters is not written [a-z]")
        self.position += 1
        if not char or self.position >= len(pattern):
            raise BadPattern(pattern, "a set of characters does not end")
        return char


def clean(path: str) -> str:
    """The shortest name of a path: no `.`, no doubled slashes, `..` taken back where it can be. Source: Go, path.Clean.

    Returns:
        "." for nothing.
    """
    rooted = path.startswith("/")
    parts: list[str] = []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part != ".." or not rooted:
            parts.append(part)
    return "/" + "/".join(parts) if rooted else "/".join(parts) or "."


def has_wildcards(path: str) -> bool:
    """Whether a path of COPY is a pattern; an escaped wildcard is none."""
    position = 0
    while position < len(path):
        if path[position] in "*?[":
            return True
        position += 2 if path[position] == "\\" else 1
    return False
