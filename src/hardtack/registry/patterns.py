"""Patterns of tags, as shells know them: `v*`, `?.0`, `[0-9]*`; one that begins with `!` takes out of the others.

Pure. Whoever keeps patterns keeps them as text, one per line. Capitals count, as they do in tags.
"""

from __future__ import annotations

import fnmatch
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from hardtack.registry.errors import SettingInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable

_COUNT = 100
_LENGTH = 128
_ALPHABET = re.compile(r"!?[A-Za-z0-9._*?\[\]!-]+", re.ASCII)


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern))


def covering(patterns: Iterable[str], tag: str) -> str:
    """The first pattern that covers a tag; "" when none does, or an exception takes it out."""
    found = ""
    for pattern in patterns:
        if pattern.startswith("!"):
            if _compiled(pattern[1:]).match(tag):
                return ""
        elif not found and _compiled(pattern).match(tag):
            found = pattern
    return found


def check_patterns(patterns: Iterable[str]) -> tuple[str, ...]:
    """Return patterns, each once, when they are some.

    Raises:
        SettingInvalid: too many, too long, or with what no tag has in it.
    """
    kept = tuple(dict.fromkeys(pattern.strip() for pattern in patterns if pattern.strip()))
    if len(kept) > _COUNT:
        raise SettingInvalid(f"more than {_COUNT} patterns of tags")
    for pattern in kept:
        if len(pattern) > _LENGTH or _ALPHABET.fullmatch(pattern) is None or pattern.count("*") > 8:
            raise SettingInvalid(
                f"{pattern[:_LENGTH]!r} is no pattern of tags",
                "Write one such as v*, *-release, or !latest for an exception",
            )
    return kept
