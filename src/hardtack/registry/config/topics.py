"""[retention] and [webhooks]: what the registry does by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardtack.registry.config.options import (
    FLAG,
    TEXTS,
    duration,
    option,
    tables,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """One rule: of the repositories and tags that it is for, what is kept. What no rule is for stays."""

    repositories: tuple[str, ...] = option(TEXTS, ("**",), "Patterns of the repositories that the rule is for")
    tags: tuple[str, ...] = option(TEXTS, ("*",), "Patterns of the tags that the rule is for")
    keep_newest: int = option(whole(0, 1_000_000), 0, "Keep so many of the newest; 0 for no such promise")
    keep_pulled: float = option(duration(), 0.0, "Keep what was pulled within this time")
    keep_pushed: float = option(duration(), 0.0, "Keep what was pushed within this time")

    def problems(self) -> Iterator[tuple[str, str]]:
        """What does not fit together, by key."""
        if not (self.keep_newest or self.keep_pulled or self.keep_pushed):
            yield "keep_newest", "must be given, or keep_pulled or keep_pushed: this rule would keep nothing"


@dataclass(frozen=True, slots=True)
class RetentionSection:
    """What is removed by itself, and for how long it can be brought back."""

    undelete: float = option(duration(), 86_400.0, "How long a deleted image can be brought back; 0s for not at all")
    rules: tuple[RetentionRule, ...] = tables(RetentionRule, "Rules for every repository that has none of its own")


@dataclass(frozen=True, slots=True)
class WebhooksSection:
    """Calls to others when something was pushed or deleted."""

    enabled: bool = option(FLAG, True, "Make them")
    attempts: int = option(whole(1, 50), 10, "How often a call is tried before it is put aside as dead")
    timeout: float = option(duration(1, 120), 10.0, "How long one may take")
