"""Who may do what in which repository: one pure rule, asked by every route.

A caller carries what was granted to it; whoever identifies callers (`Gate`) decides what that is. Without accounts
there is one caller, everybody, and a registry that is open grants it everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from hardtack.registry.errors import Denied, RegistryError, Unauthorized


class Action(Enum):
    """What can be asked for. Creating, updating and deleting a tag are three rights, deleting content is a fourth."""

    PULL = "pull from"
    PUSH = "push to"
    TAG_CREATE = "create tags in"
    TAG_UPDATE = "update tags in"
    TAG_DELETE = "delete tags in"
    DELETE = "delete from"
    ENTER = "use"  # the addresses that belong to no repository: version check, catalog, list of pages


ALL = frozenset(Action)


@dataclass(frozen=True, slots=True)
class Grant:
    """Actions on the repositories that a pattern covers.

    `**` covers everything, `team/**` everything below `team/`, `team/*` one component below it; else it is a name.
    """

    pattern: str
    actions: frozenset[Action]

    def covers(self, repository: str) -> bool:
        """Whether the pattern covers the repository; the empty name, "no repository", is covered by `**` alone."""
        pattern = self.pattern
        if pattern == "**":
            return True
        if pattern.endswith("/**"):
            return repository.startswith(pattern[:-2])
        if pattern.endswith("/*"):
            return repository.startswith(pattern[:-1]) and "/" not in repository[len(pattern) - 1 :]
        return repository == pattern


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks; `name` is empty for everybody who did not say who they are."""

    name: str = ""
    grants: tuple[Grant, ...] = ()


EVERYBODY = Caller("", (Grant("**", ALL),))
NOBODY = Caller()


def allowed(caller: Caller, action: Action, repository: str = "") -> bool:
    """Decide whether the caller may do this in that repository."""
    return any(action in grant.actions and grant.covers(repository) for grant in caller.grants)


def refusal(caller: Caller, action: Action, repository: str) -> RegistryError:
    """What somebody who may not is told: to log in when unknown, no when known."""
    return Denied(action.value, repository) if caller.name else Unauthorized()


class Gate(Protocol):
    """Turns what a request says about its sender into a caller."""

    async def identify(self, authorization: str) -> Caller:
        """Who sends this.

        Args:
            authorization: the Authorization header, or "".
        Raises:
            Unauthorized: credentials that are wrong or have expired.
        """
        ...

    def anonymous(self) -> Caller:
        """Who sends a request without credentials; answered without waiting, since most pulls are that."""
        ...


class OpenGate:
    """Everybody may do everything; credentials that a client sends along are ignored."""

    async def identify(self, authorization: str) -> Caller:
        del authorization
        return EVERYBODY

    def anonymous(self) -> Caller:
        return EVERYBODY
