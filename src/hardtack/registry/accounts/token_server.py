"""`/token`: docker's token server, in the older form (GET) and in OAuth's (POST); and `/token/keys`, its public keys.

Whoever asks without credentials gets a token for what is public. One of our own tokens is no credential here, or it
would live for ever.

Source: distribution, docs/spec/auth/token.md and oauth.md; RFC 6749, sections 4.3 and 6.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs

import msgspec

from hardtack.registry.accounts import tokens
from hardtack.registry.accounts.errors import TooManyFailures
from hardtack.registry.accounts.gate import ANONYMOUS, Proof, read_basic
from hardtack.registry.accounts.granting import granted
from hardtack.registry.api import bodies
from hardtack.registry.api.answers import failed, reply
from hardtack.registry.errors import BadRequest, RegistryError, Unauthorized
from hardtack.registry.scopes import parse_scopes
from hardtack.registry.sender import request_address, tell_who

if TYPE_CHECKING:
    from aiohttp import web

    from hardtack.registry.access import Caller
    from hardtack.registry.accounts.accounts import Accounts
    from hardtack.registry.service import Service

_BODY_LIMIT = 64 << 10
_FIELDS = 256
_PRIVATE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class _Known(NamedTuple):
    """Who asks for a token, and the secret that may be handed back to be kept, if there is one."""

    proof: Proof
    caller: Caller
    secret: str = ""


async def get(service: Service, accounts: Accounts, request: web.BaseRequest, query: str) -> web.Response:
    """Answer GET /token."""
    try:
        fields = _fields(query)
        known = await _sender(accounts, request)
        return await _token(service, accounts, request, known, fields, "offline_token" in fields)
    except RegistryError as error:
        return _refused(error)


async def post(service: Service, accounts: Accounts, request: web.BaseRequest) -> web.Response:
    """Answer POST /token."""
    try:
        fields = _fields((await bodies.whole(request, _BODY_LIMIT)).decode("utf-8", "replace"))
        known = await _by_grant(accounts, request, fields)
        offline = "offline" in fields.get("access_type", ()) or bool(known.secret)
        return await _token(service, accounts, request, known, fields, offline)
    except RegistryError as error:
        return _refused(error)


async def keys(accounts: Accounts) -> web.Response:
    """Answer GET /token/keys."""
    headers = {"Cache-Control": "public, max-age=60"}
    return reply(200, headers, msgspec.json.encode(await accounts.keys.public()), "application/jwk-set+json")


def _fields(text: str) -> dict[str, list[str]]:
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError as error:
        raise BadRequest(f"the request cannot be read: {error}") from None


async def _sender(accounts: Accounts, request: web.BaseRequest) -> _Known:
    authorization = request.headers.get("Authorization")
    if authorization is None:
        return _Known(Proof("", "", float("inf")), ANONYMOUS)
    proof, caller = await accounts.gate.prove(authorization, request_address(request))
    if proof.claims is not None:
        raise Unauthorized("a token is not got with a token", "Send a name and a password, or a personal token")
    return _Known(proof, caller)


async def _by_grant(accounts: Accounts, request: web.BaseRequest, fields: dict[str, list[str]]) -> _Known:
    gate = accounts.gate
    match _one(fields, "grant_type"):
        case "password":
            name, secret = _one(fields, "username"), _one(fields, "password")
            proof = await gate.verify_login(name, secret, request_address(request))
            kept = ""
        case "refresh_token":
            kept = _one(fields, "refresh_token")
            proof = await gate.verify_token(kept, (tokens.REFRESH, tokens.PERSONAL, tokens.ROBOT))
        case other:
            raise BadRequest(f"the grant_type {other[:40]!r} is not supported: password or refresh_token")
    caller, _ = await gate.resolve(proof, await accounts.rights.number())
    gate.note(proof)
    return _Known(proof, caller, kept)


def _one(fields: dict[str, list[str]], name: str) -> str:
    values = fields.get(name)
    if not values:
        raise BadRequest(f"{name} is missing")
    return values[0]


async def _token(
    service: Service,
    accounts: Accounts,
    request: web.BaseRequest,
    known: _Known,
    fields: dict[str, list[str]],
    offline: bool,
) -> web.Response:
    issuer = accounts.issuer
    if fields.get("service", [issuer.service])[0] != issuer.service:
        raise BadRequest(f"this is the token server of {issuer.service} and of nothing else")
    tell_who(request, known.caller.name)
    asked, registry = parse_scopes(fields.get("scope", ()))
    access = await granted(service, known.caller, asked)
    token, moment = await issuer.issue(known.proof.account, known.proof.credential, access, registry)
    answer = {
        "token": token,
        "access_token": token,
        "expires_in": int(issuer.life),
        "issued_at": datetime.datetime.fromtimestamp(moment, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "scope": " ".join(f"repository:{name}:{','.join(words)}" for name, words in access.items() if words),
    }
    if offline and known.proof.account:
        answer["refresh_token"] = await _kept(accounts, request, known, fields)
    return reply(200, _PRIVATE, msgspec.json.encode(answer))


async def _kept(accounts: Accounts, request: web.BaseRequest, known: _Known, fields: dict[str, list[str]]) -> str:
    """What the client keeps instead of a password; a personal token is that already, and ends when it is revoked."""
    if known.secret:
        return known.secret
    if known.proof.token:
        given = fields.get("password") or [_secret_of(request.headers.get("Authorization", ""))]
        return given[0]
    client = fields.get("client_id", ["docker"])[0]
    return await accounts.tokens.refreshing(known.proof.account, client, known.proof.stamp)


def _secret_of(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    return read_basic(value.strip())[1] if scheme.lower() == "basic" else value.strip()


def _refused(error: RegistryError) -> web.Response:
    """A refusal in the words of OAuth and in ours, since each client reads one of the two."""
    headers = dict(_PRIVATE)
    word = "slow_down" if isinstance(error, TooManyFailures) else "invalid_request"
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = 'Basic realm="registry", charset="UTF-8"'
        word = "invalid_grant"
    answer = failed(error, headers)
    said = {"code": error.code, "message": str(error)}
    answer.body = msgspec.json.encode({"error": word, "error_description": str(error), "errors": [said]})
    return answer
