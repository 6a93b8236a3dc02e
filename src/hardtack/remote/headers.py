"""What a registry says in its headers, read strictly: challenges, ranges, links, waits.

Pure functions on text. A header that does not follow its grammar gives None or ValueError, never a guess: these
words decide where credentials go and where bytes are put.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 16384
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_TOKEN68 = frozenset("-._~+/0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Challenge:
    """One way to authenticate that a server offers: a lower-case scheme and its parameters."""

    __slots__ = ("parameters", "scheme")

    def __init__(self, scheme: str, parameters: dict[str, str]) -> None:
        self.scheme = scheme
        self.parameters = parameters

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Challenge) and self.scheme == other.scheme and self.parameters == other.parameters

    def __hash__(self) -> int:
        return hash((self.scheme, tuple(sorted(self.parameters.items()))))

    def __repr__(self) -> str:
        return f"Challenge({self.scheme!r}, {self.parameters!r})"


class _Scanner:
    """A cursor over one header value."""

    __slots__ = ("at", "text")

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise ValueError("the header is too long")
        self.text = text
        self.at = 0

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def skip(self, what: str) -> None:
        while self.at < len(self.text) and self.text[self.at] in what:
            self.at += 1

    def run(self, alphabet: frozenset[str]) -> str:
        start = self.at
        while self.at < len(self.text) and self.text[self.at] in alphabet:
            self.at += 1
        return self.text[start : self.at]

    def token(self) -> str:
        found = self.run(_TOKEN)
        if not found:
            raise ValueError(f"a word is missing at character {self.at}")
        return found

    def quoted(self) -> str:
        """A quoted string, its backslashes resolved; the cursor stands on the opening quote."""
        self.at += 1
        out: list[str] = []
        while self.at < len(self.text):
            character = self.text[self.at]
            self.at += 1
            if character == '"':
                return "".join(out)
            if character == "\\":
                character = self.text[self.at : self.at + 1]
                self.at += 1
            out.append(character)
        raise ValueError("a quoted string has no end")

    def parameter(self) -> tuple[str, str] | None:
        """A `name=value` pair if one stands here, else None and the cursor where it was."""
        start = self.at
        name = self.run(_TOKEN)
        self.skip(" \t")
        if not name or self.peek() != "=":
            self.at = start
            return None
        self.at += 1
        self.skip(" \t")
        return name.lower(), self.quoted() if self.peek() == '"' else self.token()

    def token68(self) -> bool:
        """Step over a token68 (base64 after the scheme); False and no step when none stands here."""
        start = self.at
        if self.run(_TOKEN68):
            self.skip("=")
            self.skip(" \t")
            if self.peek() in ("", ","):
                return True
        self.at = start
        return False


def parse_challenges(values: Iterable[str]) -> list[Challenge]:
    """Read WWW-Authenticate: every challenge of every header line, in the order given.

    Raises:
        ValueError: the text is not a list of challenges, or is longer than 16 KiB.

    Source: RFC 9110, 11.6.1 (a comma separates challenges as well as parameters).
    """
    found: list[Challenge] = []
    for value in values:
        scan = _Scanner(value)
        while True:
            scan.skip(" \t,")
            if not scan.peek():
                break
            pair = scan.parameter() if found else None
            if pair is not None:
                _add(found[-1], pair)
                continue
            found.append(Challenge(scan.token().lower(), {}))
            if scan.peek() not in ("", ",", " ", "\t"):
                raise ValueError(f"{scan.peek()!r} cannot follow a scheme")
            scan.skip(" \t")
            if not scan.peek() or scan.peek() == "," or scan.token68():
                continue
            pair = scan.parameter()
            if pair is not None:
                _add(found[-1], pair)
    return found


def _add(challenge: Challenge, pair: tuple[str, str]) -> None:
    name, value = pair
    if name in challenge.parameters:
        raise ValueError(f"the parameter {name} is given twice")
    challenge.parameters[name] = value


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 19 else None


def parse_content_range(value: str) -> tuple[int, int, int | None] | None:
    """Read `bytes FIRST-LAST/TOTAL` as (first, last, total); the total is None when it is `*`.

    Returns:
        None when the value is not of that form. Source: RFC 9110, 14.4.
    """
    unit, space, rest = value.strip().partition(" ")
    span, slash, total = rest.partition("/")
    first, dash, last = span.partition("-")
    low, high, whole = _number(first), _number(last), _number(total)
    if not (space and slash and dash) or unit.lower() != "bytes" or low is None or high is None or high < low:
        return None
    if total != "*" and (whole is None or whole <= high):
        return None
    return low, high, whole


def parse_upload_range(value: str) -> int | None:
    """How many bytes an upload session holds, from its Range header (`0-1023` means 1,024).

    `0-0` gives None, as anything unreadable does: servers use it for nothing as well as for one byte.
    Source: OCI distribution-spec 1.1, "Pushing a blob in chunks".
    """
    first, dash, last = value.strip().removeprefix("bytes=").removeprefix("bytes ").partition("-")
    end = _number(last)
    return end + 1 if dash and first == "0" and end else None


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait by a Retry-After header, which holds seconds or a date; None when it says neither."""
    if not value:
        return None
    value = value.strip()
    seconds = _number(value)
    if seconds is not None:
        return float(seconds)
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


def next_link(values: Iterable[str]) -> str | None:
    """The target of the link with rel=next, as it was sent; None when there is no next page. Source: RFC 8288."""
    for value in values:
        scan = _Scanner(value)
        while True:
            scan.skip(" \t,")
            end = scan.text.find(">", scan.at)
            if scan.peek() != "<" or end < 0:
                break
            target = scan.text[scan.at + 1 : end]
            scan.at = end + 1
            if _relation(scan) == "next":
                return target
    return None


def _relation(scan: _Scanner) -> str:
    relation = ""
    while True:
        scan.skip(" \t")
        if scan.peek() != ";":
            return relation
        scan.at += 1
        scan.skip(" \t")
        pair = scan.parameter()
        if pair is None:
            return relation
        if pair[0] == "rel":
            relation = pair[1].lower()
