"""Text for people, made of numbers and of what strangers wrote: bounded, without characters that play tricks.

Escaping for HTML is the templates' business; here text is cut to a length and its control characters are made visible.
"""

from __future__ import annotations

import re
import time

CUT = 4000

# Control characters but tab and line feed, and those that turn the direction of text around or cannot be seen.
_TRICKS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_NOP = re.compile(r"/bin/sh -c #\(nop\)\s*")
_SHELL = re.compile(r"(?:RUN )?/bin/(?:ba|a)?sh (?:-o [a-z]+ |-[a-z]+ )*?-[a-z]*c ")
_BUILD_ARGS = re.compile(r"(?:RUN )?\|(\d+) ")
_FOLD = re.compile(r"(?:[ \t]*\n)?[ \t]{2,}|\t")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]{5,18}(?:Z|[+-]\d\d:\d\d)?", re.ASCII)
_KEYWORD = re.compile(r"([A-Z]{3,11})(?:\s+(.*))?", re.DOTALL)


def clean(text: object, limit: int = CUT) -> str:
    """Text fit to be shown: tricks become a visible replacement, and what is too long is cut, saying so."""
    value = text if isinstance(text, str) else str(text)
    rest = len(value) - limit
    value = _TRICKS.sub("\N{REPLACEMENT CHARACTER}", value[:limit])
    return f"{value} … and {rest:,} characters more" if rest > 0 else value


def size(count: int) -> str:
    """Bytes as docker shows them: 12.3MB, in powers of 1000, with a thin space."""
    value, units = float(count), iter(("B", "kB", "MB", "GB", "TB", "PB"))
    unit = next(units)
    while value >= 999.5 and unit != "PB":
        value /= 1000
        unit = next(units)
    if unit == "B":
        return f"{count}\u202fB"
    return f"{value:.3g}\u202f{unit}"


def ago(moment: float, now: float) -> str:
    """How long ago, in words, as coarse as one remembers it."""
    seconds = max(0.0, now - moment)
    for length, name in ((31_557_600, "year"), (2_629_800, "month"), (86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= length:
            count = int(seconds / length)
            return f"{count} {name}{'' if count == 1 else 's'} ago"
    return "just now"


def left(seconds: float) -> str:
    """A duration in words, as coarse as one needs it: 23 hours, 2 days."""
    for length, name in ((2 * 86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= length:
            count = int(seconds / min(length, 86_400))
            return f"{count} {name}{'' if count == 1 else 's'}"
    return "less than a minute"


def stamp(moment: float) -> str:
    """A moment for machines and for hovering over: RFC 3339 in UTC, by the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def day(written: str) -> str:
    """A moment that somebody wrote down in RFC 3339, or "" when it is none."""
    return written if _MOMENT.fullmatch(written) is not None else ""


def instruction(written: str) -> tuple[str, str]:
    """Split what a builder noted down into Dockerfile's keyword and the rest.

    Returns:
        `("RUN", "apt-get …")`; the keyword is "" when there is none that one could name.
    """
    text = _NOP.sub("", written.strip(), count=1).removesuffix("# buildkit").strip()
    text = _without_build_args(text)
    shell = _SHELL.match(text)
    if shell is not None:
        return "RUN", _lines(text[shell.end() :].strip())
    match = _KEYWORD.fullmatch(text)
    if match is None:
        return "", _lines(text)
    keyword, rest = match[1], (match[2] or "").strip()
    return keyword, _ports(rest) if keyword == "EXPOSE" else _lines(rest)


def _lines(command: str) -> str:
    """Where a builder folded lines into runs of blanks, lines again."""
    return _FOLD.sub("\n    ", command)


def _ports(rest: str) -> str:
    # Docker's classic builder writes its map of ports down.
    found = re.fullmatch(r"map\[(.*)\]", rest)
    return found[1].replace(":{}", "") if found is not None else rest


def _without_build_args(text: str) -> str:
    # `|2 A=1 B=2 /bin/sh -c …`: build arguments that the step saw, counted in front.
    match = _BUILD_ARGS.match(text)
    if match is None:
        return text
    # The step itself begins with its shell's path, or with the bracket of its exec form.
    starts = [at + 1 for mark in (" /bin/", ' ["') if (at := text.find(mark, match.end() - 1)) >= 0]
    return f"RUN {text[min(starts) :]}" if starts else text
