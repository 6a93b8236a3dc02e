"""Who may do what in which repository: one pure rule, asked by every route.

A caller carries what was granted to it; whoever identifies callers (`Gate`) decides what that is. Without accounts
there is one caller, everybody, and a registry that is open grants it everything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Protocol

from hardtack.registry.errors import Denied, RegistryError, Unauthorized

if TYPE_CHECKING:
    from collections.abc import Mapping


class Action(Enum):
    """What can be asked for. Creating, updating and deleting a tag are three rights, deleting content is a fourth."""

    PULL = "pull from"
    PUSH = "push to"
    TAG_CREATE = "create tags in"
    TAG_UPDATE = "update tags in"
    TAG_DELETE = "delete tags in"
    DELETE = "delete from"
    ADMIN = "administer"
    ENTER = "use"  # the addresses that belong to no repository: version check, catalog, list of pages


ALL = frozenset(Action)

READ = frozenset((Action.PULL,))
WRITE = READ | {Action.PUSH, Action.TAG_CREATE, Action.TAG_UPDATE}
MAINTAIN = WRITE | {Action.TAG_DELETE, Action.DELETE}
ROLES = {"read": READ, "write": WRITE, "maintain": MAINTAIN, "admin": MAINTAIN | {Action.ADMIN}}
"""Names for sets of rights in a repository, each holding the one before."""


class Visibility(StrEnum):
    """Who may pull from a repository without having been granted it."""

    PUBLIC = "public"  # everybody
    INTERNAL = "internal"  # everybody with an account
    PRIVATE = "private"


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
class Claims:
    """What a token of docker's flow was made for: no more than its bearer asked for and was allowed then.

    Attributes:
        repositories: by name; one without actions was asked for and refused.
        catalog: the list of repositories was asked for.
        mounts: blobs may come from any repository that the bearer may pull from.
    """

    repositories: Mapping[str, frozenset[Action]]
    catalog: bool = False
    mounts: bool = False

    def permit(self, action: Action, repository: str) -> bool:
        """Whether the token is good for this. Any of them is for what belongs to no repository."""
        return action is Action.ENTER or action in self.repositories.get(repository, ())


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks.

    Attributes:
        name: empty for everybody who did not say who they are.
        grants: what was granted to them, now.
        scope: what the credential they came with is good for at most; None when it is good for everything.
        claims: the same of a token of docker's flow, of which a client can get another one; None without one.
        admin: may change the registry itself: accounts, configuration, every repository.
        must_change: came with a password that is only good for choosing another one.
    """

    name: str = ""
    grants: tuple[Grant, ...] = ()
    scope: tuple[Grant, ...] | None = None
    claims: Claims | None = None
    admin: bool = False
    must_change: bool = False


EVERYBODY = Caller("", (Grant("**", ALL),), admin=True)


def allowed(caller: Caller, action: Action, repository: str = "", visibility: str = "") -> bool:
    """Decide whether the caller may do this in that repository.

    Args:
        repository: "" for what belongs to none.
        visibility: of the repository, when it exists and is known.
    """
    if caller.claims is not None and not caller.claims.permit(action, repository):
        return False
    if caller.scope is not None and not _granted(caller.scope, action, repository):
        return False
    return _granted(caller.grants, action, repository) or (action is Action.PULL and _shown(caller, visibility))


def _granted(grants: tuple[Grant, ...], action: Action, repository: str) -> bool:
    for grant in grants:  # noqa: SIM110 - for every request; any() would make a generator each time
        if action in grant.actions and grant.covers(repository):
            return True
    return False


def _shown(caller: Caller, visibility: str) -> bool:
    return visibility == Visibility.PUBLIC or (visibility == Visibility.INTERNAL and bool(caller.name))


def lists(caller: Caller, repository: str, visibility: str) -> bool:
    """Whether the catalog shows a repository: what the caller may pull from.

    A token of docker's flow that was made for the catalog shows what its bearer may; any other is refused before.
    """
    if caller.claims is not None and caller.claims.catalog:
        caller = replace(caller, claims=None)
    return allowed(caller, Action.PULL, repository, visibility)


def mounts(caller: Caller, repository: str, visibility: str) -> bool:
    """Whether a blob that the caller names by its digest alone may be taken from a repository."""
    if caller.claims is not None and caller.claims.mounts:
        caller = replace(caller, claims=None)
    return allowed(caller, Action.PULL, repository, visibility)


def refusal(caller: Caller, action: Action, repository: str) -> RegistryError:
    """What somebody who may not is told: to log in when unknown, to get another token where that helps, or no."""
    if not caller.name:
        return Unauthorized()
    claims = caller.claims
    if claims is not None and not claims.permit(action, repository):
        asked = repository in claims.repositories
        if _granted(caller.grants, action, repository) or (action is Action.PULL and not asked):
            return Unauthorized("the token was not made for this", "Ask for another one", "insufficient_scope")
    return Denied(action.value, repository)


class Gate(Protocol):
    """Turns what a request says about its sender into a caller."""

    async def identify(self, authorization: str, address: str = "") -> Caller:
        """Who sends this.

        Args:
            authorization: the Authorization header, or "".
            address: of the client, for slowing down those who guess.
        Raises:
            Unauthorized: credentials that are wrong or have expired.
        """
        ...

    def at_once(self, authorization: str) -> Caller | None:
        """The same for credentials that were seen a moment ago and are still good; None when one has to ask."""
        ...

    def anonymous(self) -> Caller:
        """Who sends a request without credentials; answered without waiting, since most pulls are that."""
        ...

    def challenge(self, origin: str, scope: str, problem: str) -> str:
        """How to show who one is: the value of WWW-Authenticate.

        Args:
            origin: scheme, host and port as the client called them.
            scope: what the refused request needs, as docker writes it; "" for nothing in particular.
            problem: RFC 6750's word for what is wrong with the credentials that came, or "".
        """
        ...


class OpenGate:
    """Everybody may do everything; credentials that a client sends along are ignored."""

    async def identify(self, authorization: str, address: str = "") -> Caller:
        del authorization, address
        return EVERYBODY

    def at_once(self, authorization: str) -> Caller | None:
        del authorization
        return EVERYBODY

    def anonymous(self) -> Caller:
        return EVERYBODY

    def challenge(self, origin: str, scope: str, problem: str) -> str:
        del origin, scope, problem
        return 'Basic realm="registry", charset="UTF-8"'
