"""Rules of retention as text: those of a repository are JSON with the same keys that the configuration has.

[{"tags": ["*", "!latest"], "keep_newest": 10, "keep_pulled": "30d"}, {"delete_untagged": "7d"}]
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hardtack.registry.access import Grant
from hardtack.registry.config import document
from hardtack.registry.errors import SettingInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hardtack.registry.config.topics import RetentionRule

_LENGTH = 20_000
_COUNT = 50
_HINT = 'Write a list such as [{"tags": ["*"], "keep_newest": 10}], or nothing for the rules of the configuration'


def parse(text: str) -> tuple[RetentionRule, ...]:
    """Read the rules of a repository.

    Raises:
        SettingInvalid: they cannot be read.
    """
    try:
        entries = json.loads(text) if len(text) <= _LENGTH else None
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list) or len(entries) > _COUNT:
        raise SettingInvalid("these are no rules of retention", _HINT)
    if any(isinstance(entry, dict) and "repositories" in entry for entry in entries):
        raise SettingInvalid("the rules of a repository are for itself: leave repositories out", _HINT)
    config, problems = document.read({"retention": {"rules": entries}}, _no_secret)
    if problems:
        raise SettingInvalid(f"these are no rules of retention: {'; '.join(map(str, problems[:5]))}", _HINT)
    return config.retention.rules


def _no_secret(path: str) -> str:
    raise ValueError(f"{path} is not read")


def check(text: str) -> str:
    """Return the rules of a repository, "" for none of its own. Raises SettingInvalid."""
    text = text.strip()
    if text:
        parse(text)
    return text


def rules_for(repository: str, own: str, configured: Iterable[RetentionRule]) -> tuple[RetentionRule, ...]:
    """The rules that hold in a repository: its own if it has some, else those of the configuration that are for it."""
    if own:
        return parse(own)
    return tuple(
        rule
        for rule in configured
        if any(Grant(pattern, frozenset()).covers(repository) for pattern in rule.repositories)
    )
