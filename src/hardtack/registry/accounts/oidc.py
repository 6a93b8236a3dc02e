"""Login to the pages by OpenID Connect: `/oidc/login` sends a browser to the provider, `/oidc/callback` takes it back.

What has to be remembered in between (state, nonce, the verifier of PKCE, where to go) is in a cookie signed with the
registry's own key, good for ten minutes and for one login, so that any replica can take the browser back. An account is
found by issuer and subject, never by a name or an address that the provider claims: nobody gets somebody else's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

import jwt

from hardtack.registry.accounts import cookies
from hardtack.registry.accounts.errors import LoginFailed
from hardtack.registry.accounts.http import local_path, redirect
from hardtack.registry.accounts.identities import adopt, find_identity
from hardtack.registry.accounts.issuer import ALGORITHM, decode
from hardtack.registry.accounts.names import check_account
from hardtack.registry.accounts.provider import Identity, Provider
from hardtack.registry.errors import NoSuchAddress, RegistryError
from hardtack.registry.sender import request_address, request_origin

if TYPE_CHECKING:
    from aiohttp import web

    from hardtack.registry.accounts.accounts import Accounts
    from hardtack.registry.config.document import Config
    from hardtack.registry.metadata.database import Database

log = logging.getLogger("hardtack.registry")

_LIFE = 600
_AUDIENCE = "oidc-login"
_TITLE_LIMIT = 200


class Oidc:
    """See the module."""

    def __init__(self, database: Database, accounts: Accounts, config: Config) -> None:
        self._db = database
        self._accounts = accounts
        self._oidc = config.oidc
        self._reserved = frozenset(upstream.prefix.partition("/")[0] for upstream in config.upstream)
        self._provider = Provider(config.oidc, config.network.allow)

    async def close(self) -> None:
        """Let go of the provider."""
        await self._provider.close()

    async def answer(self, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
        """Answer a request below /oidc/. Raises NoSuchAddress."""
        fields = {name: values[0] for name, values in parse_qs(query, max_num_fields=32).items()}
        try:
            if path == "/oidc/login" and request.method == "GET":
                return await self._leave(request, local_path(fields.get("next", "/")))
            if path == "/oidc/callback" and request.method == "GET":
                return await self._return(request, fields)
        except NoSuchAddress:
            raise
        except RegistryError as error:
            log.warning("login by OpenID Connect: %s", error)
            response = redirect("/login?" + urlencode({"failed": "provider", "why": str(error)[:300]}))
            cookies.take(response, request, cookies.LOGIN)
            return response
        raise NoSuchAddress

    async def _leave(self, request: web.BaseRequest, where: str) -> web.Response:
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        to = await self._provider.address(_callback(request), state, nonce, challenge)
        kept = {"state": state, "nonce": nonce, "verifier": verifier, "next": where}
        response = redirect(to)
        cookies.give(response, request, await self._signed(kept), cookies.LOGIN)
        return response

    async def _return(self, request: web.BaseRequest, fields: dict[str, str]) -> web.Response:
        kept = await self._kept(cookies.read(request, cookies.LOGIN))
        if not hmac.compare_digest(kept["state"].encode(), fields.get("state", "").encode("utf-8", "replace")):
            raise LoginFailed("the answer belongs to another login")
        if fields.get("iss", self._oidc.issuer).rstrip("/") != self._oidc.issuer.rstrip("/"):
            raise LoginFailed("the answer comes from another provider")
        if "code" not in fields:
            raise LoginFailed(f"the provider said {fields.get('error', 'nothing')[:60]!r}")
        identity = await self._provider.identity(fields["code"], _callback(request), kept["verifier"], kept["nonce"])
        name = await self._account(identity)
        session = await self._accounts.sessions.begin(name, request_address(request), "oidc")
        response = redirect(local_path(kept["next"]))
        cookies.give(response, request, session.cookie)
        cookies.take(response, request, cookies.LOGIN)
        return response

    async def _account(self, identity: Identity) -> str:
        found = await self._db.read(find_identity, self._oidc.issuer, identity.subject)
        if found:
            return found
        if not self._oidc.create:
            raise LoginFailed("there is no account for you here", "Ask an admin of the registry to make one")
        name = check_account(identity.text(self._oidc.name_claim).lower(), self._reserved)
        title = "".join(filter(str.isprintable, identity.text("name")))[:_TITLE_LIMIT]
        await self._db.write(adopt, name, self._oidc.issuer, identity.subject, title, self._db.now())
        self._accounts.rights.ask_again()
        return name

    async def _signed(self, kept: dict[str, str]) -> str:
        key, now = await self._accounts.keys.signing(), int(self._db.now())
        claims = {**kept, "iss": _AUDIENCE, "aud": _AUDIENCE, "sub": "", "exp": now + _LIFE, "iat": now}
        return jwt.encode(claims, key.private, ALGORITHM, {"kid": key.id, "typ": _AUDIENCE})

    async def _kept(self, cookie: str) -> dict[str, Any]:
        """What was remembered. Raises LoginFailed."""
        failure = LoginFailed("the login took too long, or began in another browser", "Begin again")
        try:
            header = jwt.get_unverified_header(cookie)
            key = await self._accounts.keys.verifying(str(header.get("kid")))
            if key is None or header.get("alg") != ALGORITHM or header.get("typ") != _AUDIENCE:
                raise failure
            public = key.private.public_key()
            return decode(cookie, public, [ALGORITHM], _AUDIENCE, _AUDIENCE, self._db.now())
        except (jwt.InvalidTokenError, RegistryError):
            raise failure from None


def _callback(request: web.BaseRequest) -> str:
    return f"{request_origin(request)}/oidc/callback"
