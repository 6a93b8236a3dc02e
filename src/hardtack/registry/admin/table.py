"""What an endpoint of the JSON API is: one line of a table, from which routing, decoding and the reference come.

A path is fixed text and parameters: `{name}` stands for one component, `{repository}` for a repository's name, which
has slashes; what belongs to a repository follows after `/-/`, which no name can contain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from hardtack.registry.names import check_repository

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hardtack.registry.admin.ask import Ask

PREFIX = "/api/v1"
_PARAMETER = re.compile(r"\{(\w+)\}")

N = ("n", "at most so many, 100 without it, up to 1000")
LAST = ("last", "the name after which the page begins")
PART = ("q", "part of the name")
BEFORE = ("before", "the number before which the page begins")
"""Parameters of queries that many endpoints have; `Ask.limit` and `Ask.position` read them."""


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
