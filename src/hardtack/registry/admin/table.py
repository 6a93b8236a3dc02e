"""What an endpoint of the JSON API is: one line of a table, from which routing, decoding and the reference come.

A path is fixed text and parameters: `{name}` stands for one component, `{repository}` for a repository's name, which
has slashes; what belongs to a repository follows after `/-/`, which no name can contain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from hardtack.registry.access import Action, Caller, allowed, refusal
from hardtack.registry.accounts.changes import is_admin
from hardtack.registry.errors import BadRequest, Denied, RegistryError, Unauthorized
from hardtack.registry.events.audit import audit
from hardtack.registry.names import check_repository

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hardtack.registry.accounts.accounts import Accounts
    from hardtack.registry.service import Service

PREFIX = "/api/v1"
_PARAMETER = re.compile(r"\{(\w+)\}")
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
        text = self.path[name]
        if not (text.isascii() and text.isdigit() and len(text) < 18):
            raise BadRequest(f"{name} must be a number")
        return int(text)

    def expect(self, action: Action, repository: str) -> None:
        """Refuse who was not granted this. Raises Denied, Unauthorized."""
        if not allowed(self.caller, action, repository):
            raise refusal(self.caller, action, repository)

    async def expect_pull(self, repository: str) -> None:
        """Refuse who may not see a repository. Raises Denied, Unauthorized."""
        if not await self.service.permits(self.caller, Action.PULL, repository):
            raise refusal(self.caller, Action.PULL, repository)

    def expect_admin(self) -> None:
        """Refuse who does not run the registry. Raises Denied, Unauthorized."""
        if not is_admin(self.caller):
            raise refused(self.caller)

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


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One line of the table.

    Attributes:
        takes: the msgspec type of the body, or None.
        gives: the type of the answer, or None for 204.
        meaning: one sentence for the reference.
        query: parameters of the query, with a sentence each.
        status: of success.
    """

    method: str
    path: str
    handler: Callable[[Ask], Awaitable[Any]]
    meaning: str
    takes: Any = None
    gives: Any = None
    query: tuple[tuple[str, str], ...] = ()
    status: int = 200


class Table:
    """Endpoints by path and method."""

    def __init__(self, endpoints: tuple[Endpoint, ...]) -> None:
        self.endpoints = endpoints
        self._paths: dict[str, tuple[re.Pattern[str], dict[str, Endpoint]]] = {}
        for endpoint in endpoints:
            _, methods = self._paths.setdefault(endpoint.path, (_pattern(endpoint.path), {}))
            assert endpoint.method not in methods, endpoint
            methods[endpoint.method] = endpoint

    def find(self, path: str) -> tuple[dict[str, Endpoint], dict[str, str]] | None:
        """The endpoints at a path by method, and its parameters; None when there is nothing.

        Args:
            path: still percent-encoded, without query, after the prefix.
        Raises:
            NameInvalid: no repository can have this name.
        """
        for pattern, methods in self._paths.values():
            match = pattern.fullmatch(path)
            if match is not None:
                parameters = {name: unquote(value) for name, value in match.groupdict().items()}
                if "repository" in parameters:
                    check_repository(parameters["repository"])
                return methods, parameters
        return None


def _pattern(path: str) -> re.Pattern[str]:
    pieces = _PARAMETER.split(path)
    text = ""
    for number, piece in enumerate(pieces):
        if number % 2 == 0:
            text += re.escape(piece)
        elif piece == "repository":
            text += r"(?P<repository>(?:(?!-/)[^/]+/)*(?!-(?:/|$))[^/]+)"
        else:
            text += f"(?P<{piece}>[^/]+)"
    return re.compile(text)


def read_query(query: str) -> dict[str, str]:
    """The first value of each parameter. Raises BadRequest for too many."""
    try:
        return {name: values[0] for name, values in parse_qs(query, True, max_num_fields=50).items()}
    except ValueError:
        raise BadRequest("the query cannot be read") from None
