"""One request to the JSON API: who asks, for what, and what they have to be allowed before anything is done.

Every handler begins with one of the `expect…` methods, or with `by`, whose owner the library judges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from hardtack.registry.access import Action, Caller, allowed, refusal
from hardtack.registry.accounts.changes import By, is_admin
from hardtack.registry.errors import BadRequest, Denied, RegistryError, Unauthorized
from hardtack.registry.events.audit import audit
from hardtack.registry.names import check_repository

if TYPE_CHECKING:
    from hardtack.registry.accounts.accounts import Accounts
    from hardtack.registry.service import Service

_PAGE, _PAGE_LIMIT = 100, 1000


@dataclass(frozen=True, slots=True)
class Ask:
    """One request.

    Attributes:
        address: of the client, for the audit log.
        path: the parameters of the path, decoded; `repository` is a valid name.
        query: the first value of each parameter.
        body: decoded as the endpoint's `takes`, or None.
    """

    service: Service
    caller: Caller
    address: str
    path: dict[str, str]
    query: dict[str, str]
    body: Any

    @property
    def repository(self) -> str:
        """The repository that the path names."""
        return self.path["repository"]

    def limit(self) -> int:
        """How many things a page is to have: `n`, 100 without it, at most 1000. Raises BadRequest."""
        text = self.query.get("n", str(_PAGE))
        if not (text.isascii() and text.isdigit()):
            raise BadRequest("n must be a number")
        return min(int(text[:9]), _PAGE_LIMIT)

    def flag(self, name: str) -> bool:
        """Whether a parameter is given as true, 1, yes, or without a value."""
        return self.query.get(name, "false").lower() in ("", "1", "true", "yes")

    def number(self, name: str) -> int:
        """A parameter of the path that is a number. Raises BadRequest."""
        return _number(name, self.path[name])

    def position(self, name: str, otherwise: int) -> int:
        """The number of a thing from which a page goes on; without the parameter, `otherwise`. Raises BadRequest."""
        text = self.query.get(name, "")
        return _number(name, text) if text else otherwise

    def expect(self, action: Action, repository: str) -> None:
        """Refuse who was not granted this. Raises Denied, Unauthorized."""
        if not allowed(self.caller, action, repository):
            raise refusal(self.caller, action, repository)

    def expect_all(self, pattern: str) -> None:
        """Refuse who does not administer all that a pattern covers. Raises Denied, Unauthorized, BadRequest."""
        try:
            self.expect(Action.ADMIN, covered(pattern))
        except Denied:
            raise Denied(Action.ADMIN.value, pattern) from None

    async def expect_pull(self, repository: str) -> None:
        """Refuse who may not see a repository. Raises Denied, Unauthorized."""
        if not await self.service.permits(self.caller, Action.PULL, repository):
            raise refusal(self.caller, Action.PULL, repository)

    def expect_admin(self) -> None:
        """Refuse who does not run the registry. Raises Denied, Unauthorized."""
        if not is_admin(self.caller):
            raise refused(self.caller)

    def by(self) -> By:
        """The caller as the author of a change of accounts. Raises Unauthorized for nobody in particular."""
        self.expect_somebody()
        return By.of(self.caller, self.address)

    def accounts(self) -> Accounts:
        """The accounts of the registry. Raises BadRequest: it is open to everybody and has none."""
        if self.service.accounts is None:
            raise BadRequest("this registry has no accounts: everybody may do everything")
        return self.service.accounts

    async def note(self, action: str, target: str, detail: str = "") -> None:
        """Write down in the audit log what was done."""
        database = self.service.database
        await database.note(audit, self.caller.name, self.address, action, target, detail, database.now())

    def expect_somebody(self) -> str:
        """The name of the caller. Raises Unauthorized for nobody in particular."""
        if not self.caller.name and not self.caller.admin:
            raise Unauthorized
        return self.caller.name


def refused(caller: Caller) -> RegistryError:
    """What somebody is told who does not run the registry."""
    return Denied("administer the registry", "") if caller.name else Unauthorized()


def covered(pattern: str) -> str:
    """A name that a pattern covers and that no narrower grant can: who administers it administers all of them.

    Raises:
        BadRequest: the pattern is neither a name nor one with `**` or `*` at its end.
    """
    if pattern == "**":
        return ""
    for ending, deepest in (("/**", "/*/*"), ("/*", "/*")):
        if pattern.endswith(ending):
            return check_repository(pattern[: -len(ending)]) + deepest
    if "*" in pattern:
        raise BadRequest('a pattern is a repository, or ends in "/*" or "/**", or is "**"')
    return check_repository(pattern)


def read_query(query: str) -> dict[str, str]:
    """The first value of each parameter. Raises BadRequest for too many."""
    try:
        return {name: values[0] for name, values in parse_qs(query, True, max_num_fields=50).items()}
    except ValueError:
        raise BadRequest("the query cannot be read") from None


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 18):
        raise BadRequest(f"{name} must be a number")
    return int(text)
