"""The table of the API: which method on which noun does what, and the right it needs.

`answer` is the only way in: it reads the path, checks the name, asks the gate who calls and the rule whether they may,
and only then runs the route. So no route can forget to authorise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs

from hardtack.registry.access import Action, allowed, refusal
from hardtack.registry.api import base, blobs, manifests, referrers, tags, uploads
from hardtack.registry.api.answers import failed
from hardtack.registry.api.path import Kind, Target, split
from hardtack.registry.errors import (
    BlobUnknown,
    Denied,
    NoSuchAddress,
    QuotaExceeded,
    ReadOnly,
    RegistryError,
    Unauthorized,
    Unsupported,
)
from hardtack.registry.names import check_repository, is_repository
from hardtack.registry.scopes import CATALOG, MOUNT, scope_of
from hardtack.registry.sender import request_address, request_origin, tell_kind, tell_who
from hardtack.registry.service import Call

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from hardtack.registry.access import Caller
    from hardtack.registry.service import Service

    Handler = Callable[[Call], Awaitable[web.StreamResponse]]


class Route(NamedTuple):
    """What a method does; `action` may depend on the reference."""

    handler: Handler
    action: Action | Callable[[str], Action]

    def needs(self, reference: str) -> Action:
        """The right that the route needs."""
        return self.action if isinstance(self.action, Action) else self.action(reference)


ROUTES: dict[Kind, dict[str, Route]] = {
    Kind.BASE: {"GET": Route(base.version, Action.ENTER), "HEAD": Route(base.version, Action.ENTER)},
    Kind.CATALOG: {"GET": Route(base.catalog, Action.ENTER), "HEAD": Route(base.catalog, Action.ENTER)},
    Kind.TAGS: {"GET": Route(tags.listing, Action.PULL), "HEAD": Route(tags.listing, Action.PULL)},
    Kind.MANIFEST: {
        "GET": Route(manifests.get, Action.PULL),
        "HEAD": Route(manifests.get, Action.PULL),
        "PUT": Route(manifests.put, Action.PUSH),
        "DELETE": Route(manifests.delete, manifests.deletion),
    },
    Kind.BLOB: {
        "GET": Route(blobs.get, Action.PULL),
        "HEAD": Route(blobs.get, Action.PULL),
        "DELETE": Route(blobs.delete, Action.DELETE),
    },
    Kind.UPLOADS: {"POST": Route(uploads.post, Action.PUSH)},
    Kind.UPLOAD: {
        "GET": Route(uploads.get, Action.PUSH),
        "HEAD": Route(uploads.get, Action.PUSH),
        "PATCH": Route(uploads.patch, Action.PUSH),
        "PUT": Route(uploads.put, Action.PUSH),
        "DELETE": Route(uploads.delete, Action.PUSH),
    },
    Kind.REFERRERS: {"GET": Route(referrers.listing, Action.PULL), "HEAD": Route(referrers.listing, Action.PULL)},
}

_NAMELESS = (Kind.BASE, Kind.CATALOG)
_HARMLESS = ("GET", "HEAD")
_PUSHING = ("POST", "PUT", "PATCH")
_PARAMETERS = 256


async def answer(service: Service, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
    """Answer a request to the API.

    Args:
        path: as sent, still percent-encoded.
        query: as sent, without the question mark.
    """
    target = split(path)
    if target is not None:
        tell_kind(request, target.kind.value)
    try:
        target = _meant(service, target, query)
        return await _answer(service, request, target, query)
    except Unauthorized as error:
        needed = _scope(target, request.method, query)
        challenge = service.gate.challenge(request_origin(request), needed, error.problem)
        return failed(error, {"WWW-Authenticate": challenge})
    except RegistryError as error:
        return failed(error, _warning(error, request.method))


def _warning(error: RegistryError, method: str) -> dict[str, str]:
    """The text of a refusal for clients that show this header (oras, regctl), where they do not show the body.

    HEAD has none; and what regctl may not upload whole it tries in pieces, whose failure it reports instead.

    Source: OCI distribution-spec 1.1, "Warnings".
    """
    unseen = isinstance(error, QuotaExceeded) or (method == "HEAD" and isinstance(error, Denied))
    return {"Warning": f'299 - "{error}"'} if unseen else {}


def _refusal(caller: Caller, action: Action, target: Target, method: str) -> RegistryError:
    """Why not.

    Pushing begins with HEAD of a blob. Where its sender may not look, the blob is not there for them: the client goes
    on, and the next answer has a body that says what is not allowed, or lets them push who may do only that.
    """
    error = refusal(caller, action, target.repository)
    if method == "HEAD" and target.kind is Kind.BLOB and isinstance(error, Denied):
        return BlobUnknown(target.reference)
    return error


def _meant(service: Service, target: Target | None, query: str) -> Target | None:
    """The target by its name here, when a mirror's client names the upstream in the query (`ns=docker.io`).

    Returns:
        None for an upstream that is none of ours: what has the same name here is something else.
    """
    if service.upstreams is None or target is None or "ns=" not in query or not target.repository:
        return target
    try:
        names = parse_qs(query, max_num_fields=_PARAMETERS, errors="replace").get("ns", [""])
    except ValueError:
        return None
    name = service.upstreams.named(target.repository, names[0])
    return None if name is None else target._replace(repository=name)


def _scope(target: Target | None, method: str, query: str) -> str:
    """What a request needs, in docker's words."""
    if target is None or target.kind is Kind.BASE or method not in ROUTES[target.kind]:
        return ""
    if target.kind is Kind.CATALOG:
        return CATALOG
    if not is_repository(target.repository):
        return ""
    needed = scope_of(ROUTES[target.kind][method].needs(target.reference), target.repository)
    return f"{needed} {_source(query)}".rstrip() if target.kind is Kind.UPLOADS else needed


def _source(query: str) -> str:
    """What a mount needs of where it takes the blob from."""
    if not query.startswith("mount=") and "&mount=" not in query:
        return ""
    try:
        names = parse_qs(query, max_num_fields=_PARAMETERS, errors="replace").get("from")
    except ValueError:
        return ""
    if not names:
        return MOUNT
    return scope_of(Action.PULL, names[0]) if is_repository(names[0]) else ""


async def _answer(service: Service, request: web.BaseRequest, target: Target | None, query: str) -> web.StreamResponse:
    authorization = request.headers.get("Authorization")
    gate = service.gate
    caller = gate.anonymous() if authorization is None else await gate.identify(authorization, request_address(request))
    tell_who(request, caller.name)
    if target is None:
        # Who may not even enter learns nothing about addresses.
        if not allowed(caller, Action.ENTER):
            raise refusal(caller, Action.ENTER, "")
        raise NoSuchAddress
    methods = ROUTES[target.kind]
    route = methods.get(request.method)
    if route is None:
        raise Unsupported(methods)
    repository = target.repository
    if target.kind not in _NAMELESS:
        check_repository(repository)
    action = route.needs(target.reference)
    if not await service.permits(caller, action, repository):
        raise _refusal(caller, action, target, request.method)
    if service.read_only and request.method not in _HARMLESS:
        raise ReadOnly
    if request.method in _PUSHING:
        await service.expect_own(repository)
    return await route.handler(Call(service, request, caller, repository, target.reference, query))
