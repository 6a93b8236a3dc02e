"""What a .dockerignore leaves out of the context, walked folder by folder as docker's client walks it.

Pure: patterns and names in, verdicts out. A folder's verdict is carried down to what lies in it, so each name is read
once, and a folder that nothing can be taken back from need not be opened.
"""

from __future__ import annotations

from hardtack.build.context.glob import BadPattern, Glob, clean
from hardtack.build.dockerfile.text import SPACES

MAX_PATTERNS = 10_000
MAX_BYTES = 1 << 20


class Place:
    """How the patterns stand at one path.

    Attributes:
        ignored: the path is left out.
        reopens: something below may be taken back by an exception although the path is left out.
    """

    __slots__ = ("_states", "ignored", "reopens")

    def __init__(self, states: list[tuple[int, int, bool]], ignored: bool, reopens: bool) -> None:
        self._states = states
        self.ignored = ignored
        self.reopens = reopens


class Ignore:
    """The patterns of a .dockerignore, or the values of --exclude.

    Args:
        patterns: in order; `!` in front makes an exception; later ones win.
    Raises:
        BadPattern: one that cannot be read.
    """

    __slots__ = ("_globs", "top")

    def __init__(self, patterns: list[str]) -> None:
        self._globs: list[tuple[bool, Glob]] = []
        for text in patterns:
            pattern = text.strip(SPACES)
            if not pattern:
                continue
            pattern = clean(pattern)
            exception = pattern.startswith("!")
            if exception and pattern == "!":
                raise BadPattern(text, "an exception of nothing")
            self._globs.append((exception, Glob(pattern[exception:], deep=True)))
        states = [(index, glob.start, False) for index, (_, glob) in enumerate(self._globs)]
        self.top = Place(states, False, False)

    def __bool__(self) -> bool:
        return bool(self._globs)

    def below(self, parent: Place, name: str, top: bool) -> Place:
        """How the patterns stand at a name in a folder.

        Args:
            parent: the folder's place.
            name: one component.
            top: whether the folder is the context itself.
        """
        states: list[tuple[int, int, bool]] = []
        ignored = reopens = False
        text = name if top else "/" + name
        for index, state, inherited in parent._states:
            exception, glob = self._globs[index]
            state = glob.feed(state, text)  # noqa: PLW2901
            matched = inherited or (exception == ignored and glob.accepts(state))
            if matched:
                ignored = not exception
            if matched or state:
                states.append((index, state, matched))
                reopens = reopens or exception
        return Place(states, ignored, reopens and ignored)

    def at(self, path: str) -> Place:
        """How the patterns stand at a path, relative and clean."""
        place = self.top
        for depth, name in enumerate(path.split("/")):
            place = self.below(place, name, not depth)
        return place

    def ignores(self, path: str) -> bool:
        """Whether a path is left out; the context itself never is."""
        return path not in ("", ".") and self.at(path).ignored


def read_ignore(data: bytes, name: str) -> list[str]:
    """The patterns of an ignore file: one a line; a `#` begins a comment line, a leading slash means nothing.

    Raises:
        BadPattern: more than MAX_BYTES or MAX_PATTERNS.

    Source: moby/patternmatcher, ignorefile.
    """
    if len(data) > MAX_BYTES:
        raise BadPattern(name, f"the file has more than {MAX_BYTES >> 20} MiB")
    patterns: list[str] = []
    for line in data.decode("utf-8", "surrogateescape").removeprefix("\ufeff").split("\n"):
        if line.startswith("#"):
            continue
        pattern = line.strip(SPACES)
        if not pattern:
            continue
        exception = pattern.startswith("!")
        if exception:
            pattern = pattern[1:].strip(SPACES)
        if pattern:
            pattern = clean(pattern)
            pattern = pattern[1:] if len(pattern) > 1 and pattern.startswith("/") else pattern
        patterns.append("!" + pattern if exception else pattern)
    if len(patterns) > MAX_PATTERNS:
        raise BadPattern(name, f"the file has more than {MAX_PATTERNS:,} patterns")
    return patterns
