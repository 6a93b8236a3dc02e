"""An OpenID Connect provider: what it says of itself, its keys, and a code turned into somebody's identity.

Every call passes the filter of addresses and follows no redirect: what the provider's own document names is somebody
else's word. An identity is believed when its signature, issuer, audience, times and nonce are right.

Source: OpenID Connect Core 1.0, sections 3.1.2 and 3.1.3.7; Discovery 1.0; RFC 7636; RFC 9207.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import aiohttp
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from hardtack.registry.accounts.errors import LoginFailed
from hardtack.registry.net.client import session
from hardtack.registry.net.filter import AddressFilter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hardtack.registry.config.access import OidcSection

_ALGORITHMS = ("RS256", "ES256", "PS256", "EdDSA", "ES384", "RS384", "PS384", "ES512", "RS512", "PS512")
_TIMEOUT = 10.0
_FRESH = 3600.0
_PAUSE = 30.0
_LIMIT = 1 << 20
_LEEWAY = 60


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody whom the provider knows."""

    subject: str
    claims: Mapping[str, Any]

    def text(self, claim: str) -> str:
        """A claim that is text; "" for all others."""
        value = self.claims.get(claim)
        return value if isinstance(value, str) else ""


class Provider:
    """One provider, as one process knows it.

    Args:
        allow: what may be called besides the public internet.
    """

    def __init__(self, oidc: OidcSection, allow: tuple[str, ...]) -> None:
        self._oidc = oidc
        self._session = session(AddressFilter(allow), aiohttp.ClientTimeout(total=_TIMEOUT))
        self._document: dict[str, Any] = {}
        self._keys: KeySet | None = None
        self._read = self._keyed = float("-inf")
        self._lock = asyncio.Lock()

    async def close(self) -> None:
        """Let go of its connections."""
        await self._session.close()

    async def address(self, redirect: str, state: str, nonce: str, challenge: str) -> str:
        """Where to send a browser. Raises LoginFailed: the provider cannot be asked."""
        document = await self._discover()
        fields = {
            "response_type": "code",
            "client_id": self._oidc.client_id,
            "redirect_uri": redirect,
            "scope": "openid profile email",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        where: str = document["authorization_endpoint"]
        return where + ("&" if "?" in where else "?") + urlencode(fields)

    async def identity(self, code: str, redirect: str, verifier: str, nonce: str) -> Identity:
        """Whom a code stands for. Raises LoginFailed."""
        document = await self._discover()
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": verifier,
            "client_id": self._oidc.client_id,
        }
        headers = {"Accept": "application/json"}
        methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if self._oidc.client_secret and "client_secret_basic" in methods:
            both = ":".join(quote(text, safe="") for text in (self._oidc.client_id, self._oidc.client_secret))
            headers["Authorization"] = f"Basic {base64.b64encode(both.encode()).decode()}"
        elif self._oidc.client_secret:
            fields["client_secret"] = self._oidc.client_secret
        answer = await self._ask("POST", document["token_endpoint"], fields, headers)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise LoginFailed("the provider sent no identity")
        return self._believed(await self._verified(token, document), nonce)

    async def _verified(self, token: str, document: dict[str, Any]) -> dict[str, Any]:
        offered = document.get("id_token_signing_alg_values_supported", ["RS256"])
        algorithms = [name for name in _ALGORITHMS if name in offered]
        for again in (False, True):
            keys = await self._key_set(document, again)
            try:
                return dict(jwt.decode(token, keys, algorithms=algorithms).claims)
            except (JoseError, ValueError, KeyError, TypeError) as error:
                if again:
                    raise LoginFailed("the provider's identity is not signed by one of its keys") from error
        raise AssertionError

    def _believed(self, claims: dict[str, Any], nonce: str) -> Identity:
        now, audience = time.time(), claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        times = [claims.get("exp"), claims.get("iat")]
        problem = ""
        if claims.get("iss") != self._oidc.issuer and claims.get("iss") != f"{self._oidc.issuer}/":
            problem = "was made by another issuer"
        elif self._oidc.client_id not in audiences or claims.get("azp", self._oidc.client_id) != self._oidc.client_id:
            problem = "was made for somebody else"
        elif not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in times):
            problem = "has no times"
        elif claims["exp"] + _LEEWAY < now or claims["iat"] - _LEEWAY > now or claims.get("nbf", 0) - _LEEWAY > now:
            problem = "has expired, or is not good yet"
        elif claims.get("nonce") != nonce:
            problem = "belongs to another login"
        elif not isinstance(claims.get("sub"), str) or not 0 < len(claims["sub"]) <= 255:
            problem = "names nobody"
        if problem:
            raise LoginFailed(f"the provider's identity {problem}")
        return Identity(claims["sub"], claims)

    async def _discover(self) -> dict[str, Any]:
        async with self._lock:
            if time.monotonic() - self._read > _FRESH:
                document = await self._ask("GET", f"{self._oidc.issuer}/.well-known/openid-configuration")
                if document.get("issuer") not in (self._oidc.issuer, f"{self._oidc.issuer}/"):
                    raise LoginFailed("the provider calls itself by another name than is configured")
                for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                    if not str(document.get(name, "")).startswith(("https://", "http://")):
                        raise LoginFailed(f"the provider does not say where its {name} is")
                self._document, self._read = document, time.monotonic()
            return self._document

    async def _key_set(self, document: dict[str, Any], again: bool) -> KeySet:
        async with self._lock:
            age = time.monotonic() - self._keyed
            if self._keys is None or age > _FRESH or (again and age > _PAUSE):
                found = await self._ask("GET", document["jwks_uri"])
                try:
                    usable = [
                        key for key in found["keys"] if key.get("kty") != "oct" and key.get("use", "sig") == "sig"
                    ]
                    self._keys = KeySet.import_key_set({"keys": usable})
                except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
                    raise LoginFailed("the provider's keys cannot be read") from error
                self._keyed = time.monotonic()
            return self._keys

    async def _ask(
        self, method: str, url: str, form: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        try:
            async with self._session.request(method, url, data=form, headers=headers, allow_redirects=False) as answer:
                body = await answer.content.read(_LIMIT)
                status = answer.status
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise LoginFailed(f"the provider cannot be asked: {error}") from error
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if status != 200 or not isinstance(document, dict):
            raise LoginFailed(f"the provider answered with status {status}")
        return document
