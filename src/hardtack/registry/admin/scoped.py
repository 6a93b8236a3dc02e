"""What bodies about tokens and robots have in common: rights on patterns, and secrets that are shown once."""

from __future__ import annotations

import msgspec

from hardtack.registry.access import Grant
from hardtack.registry.accounts import words


class Scoped(msgspec.Struct, forbid_unknown_fields=True):
    """Rights on the repositories that a pattern covers: read, write, maintain, admin, or single actions."""

    pattern: str
    rights: str


class Secret(msgspec.Struct):
    """A new secret, shown this once."""

    secret: str


def grants_of(scoped: list[Scoped]) -> tuple[Grant, ...]:
    """The rights that were written. Raises AccountInvalid."""
    return tuple(Grant(one.pattern, words.read_rights(one.rights)) for one in scoped)
