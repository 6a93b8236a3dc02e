"""Which names accounts may have, and which patterns rights may be given on.

An account's name is the first component of the repositories that are its own, so it has the same grammar. A robot's is
its owner's and its own, with a plus between them: `team+ci`. No account has a plus in its name, docker's login takes
one, and no shell wants it quoted.
"""

from __future__ import annotations

from hardtack.registry.access import Grant
from hardtack.registry.accounts.errors import AccountInvalid
from hardtack.registry.names import RESERVED, is_component, is_repository

NAME_LIMIT = 64
OWN = RESERVED | {"library", "everybody", "anonymous", "hardtack", "shell"}
"""Names that no account gets: addresses of the server, the shared namespace, and words that would mislead."""

_GRAMMAR = "lower-case letters and digits, separated by single dots, dashes or underscores"


def check_account(name: str, reserved: frozenset[str] = frozenset()) -> str:
    """Return the name when a user or an organisation may have it.

    Args:
        reserved: names that this registry has another use for, as the prefixes of its upstreams.
    Raises:
        AccountInvalid: it is outside the grammar, longer than 64 characters, or reserved.
    """
    _check(name, "name")
    if name in OWN:
        raise AccountInvalid(f'the name "{name}" belongs to the registry itself', "Choose another")
    if name in reserved:
        raise AccountInvalid(f'the name "{name}" is the prefix of an upstream', "Choose another")
    return name


def check_part(name: str, what: str) -> str:
    """Return the name when a team, or a robot within its owner, may have it. Raises AccountInvalid."""
    _check(name, what)
    return name


def _check(name: str, what: str) -> None:
    if len(name) > NAME_LIMIT:
        raise AccountInvalid(f"the {what} is longer than {NAME_LIMIT} characters")
    if not is_component(name):
        raise AccountInvalid(f'"{name[:NAME_LIMIT]}" is no {what}: {_GRAMMAR}')


def is_login(name: str) -> bool:
    """Whether somebody could log in under this name: a user's or a robot's."""
    owner, plus, part = name.partition("+")
    words = (owner, part) if plus else (owner,)
    return all(len(word) <= NAME_LIMIT and is_component(word) for word in words)


def check_pattern(pattern: str) -> str:
    """Return a pattern of repositories.

    Raises:
        AccountInvalid: it is neither `**`, nor a name, nor a name followed by `/*` or `/**`.
    """
    name = pattern.removesuffix("/**") if pattern.endswith("/**") else pattern.removesuffix("/*")
    if pattern != "**" and not is_repository(name):
        raise AccountInvalid(f'"{pattern[:300]}" is no pattern: write team/app, team/* (one level), team/** or **')
    return pattern


def is_within(inner: str, outer: str) -> bool:
    """Whether everything that one valid pattern covers is covered by another."""
    if outer in ("**", inner):
        return True
    if inner.endswith("/**"):
        return outer.endswith("/**") and inner.startswith(outer[:-2])
    # What `a/*` covers is covered by a wider pattern as `a/*` itself is, which no repository is called: so a right on
    # one of the names in it never counts as one on them all.
    return Grant(outer, frozenset()).covers(inner) and inner != "**"
