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
from hardtack.registry.errors import SettingInvalid
from hardtack.registry.patterns import check_patterns

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """One rule: of the repositories and tags that it is for, what is kept. What no rule is for stays.

    A tag that several rules are for stays when one of them keeps it. Immutable tags stay in any case.
    """

    repositories: tuple[str, ...] = option(TEXTS, ("**",), "Patterns of the repositories that the rule is for")
    tags: tuple[str, ...] = option(TEXTS, ("*",), "Patterns of the tags that the rule is for; !PATTERN for exceptions")
    keep_newest: int = option(whole(0, 1_000_000), 0, "Keep so many of the newest; 0 for no such promise")
    keep_tags: tuple[str, ...] = option(TEXTS, (), "Keep tags like these")
    keep_pulled: float = option(
        duration(), 0.0, "Keep what was pulled within this time; what never was counts from its push"
    )
    keep_pushed: float = option(duration(), 0.0, "Keep what was pushed within this time")
    delete_untagged: float = option(
        duration(), 0.0, "Delete what has no tag and was neither pushed nor pulled for this time; 0s for never"
    )

    @property
    def keeps(self) -> bool:
        """Whether it says anything of tags."""
        return bool(self.keep_newest or self.keep_tags or self.keep_pulled or self.keep_pushed)

    def problems(self) -> Iterator[tuple[str, str]]:
        """What does not fit together, by key."""
        if not self.keeps and not self.delete_untagged:
            yield "keep_newest", "or another keep_ or delete_untagged must be given: this rule would keep nothing"
        for key in ("tags", "keep_tags"):
            try:
                check_patterns(getattr(self, key))
            except SettingInvalid as error:
                yield key, error.message


@dataclass(frozen=True, slots=True)
class RetentionSection:
    """What is removed by itself, and for how long it can be brought back."""

    undelete: float = option(duration(), 86_400.0, "How long a deleted image can be brought back; 0s for not at all")
    rules: tuple[RetentionRule, ...] = tables(RetentionRule, "Rules for every repository that has none of its own")


@dataclass(frozen=True, slots=True)
class WebhooksSection:
    """Calls to others when something was pushed or deleted."""

    enabled: bool = option(FLAG, True, "Make them")
    timeout: float = option(duration(1, 120), 10.0, "How long one may take")
