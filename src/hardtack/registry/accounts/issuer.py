"""Docker's tokens: made and read. A token bounds what its bearer may for some minutes and is never the source of it.

Signed with ES256 and nothing else; the key's id, the issuer, the audience and the times are checked, in that order,
before anything is believed. `cred` says which password or token it was got with: when that goes, so does this.

Source: distribution, docs/spec/auth/jwt.md; RFC 7519; RFC 8725, "JSON Web Token Best Current Practices".
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt

from hardtack.registry.access import Claims
from hardtack.registry.errors import Unauthorized
from hardtack.registry.scopes import access_list, read_access

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hardtack.registry.accounts.keys import Keys
    from hardtack.registry.metadata.database import Database

ALGORITHM = "ES256"
_TYPE = "JWT"
_LEEWAY = 5.0
_LIMIT = 8192


@dataclass(frozen=True, slots=True)
class Issued:
    """What a good token says.

    Attributes:
        subject: the account; "" for anybody.
        credential: what it was got with.
        until: when it expires.
    """

    subject: str
    credential: str
    claims: Claims
    until: float


class Issuer:
    """Makes tokens for one registry and reads them.

    Args:
        service: what tokens call the registry.
        life: of a token, in seconds.
    """

    def __init__(self, database: Database, keys: Keys, service: str, life: float = 300.0) -> None:
        self._db = database
        self._keys = keys
        self.service = service
        self.life = life

    async def issue(
        self, subject: str, credential: str, granted: Mapping[str, Iterable[str]], registry: Iterable[str]
    ) -> tuple[str, float]:
        """Make a token. Returns it with the moment from which it is good."""
        key = await self._keys.signing()
        now = self._db.now()
        claims: dict[str, Any] = {
            "iss": self.service,
            "aud": self.service,
            "sub": subject,
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now + self.life),
            "jti": secrets.token_urlsafe(12),
            "cred": credential,
            "access": access_list(granted, registry),
        }
        return jwt.encode(claims, key.private, ALGORITHM, {"kid": key.id, "typ": _TYPE}), float(int(now))

    async def read(self, token: str) -> Issued:
        """Believe a token, or not. Raises Unauthorized."""
        header = read_header(token, _LIMIT)
        identity = header.get("kid")
        if header.get("alg") != ALGORITHM or header.get("typ") != _TYPE or not isinstance(identity, str):
            raise refused("it is of another kind")
        key = await self._keys.verifying(identity)
        if key is None:
            raise refused("its key is not known")
        claims = decode(token, key.private.public_key(), [ALGORITHM], self.service, self.service, self._db.now())
        subject, credential = claims["sub"], claims.get("cred")
        if not isinstance(credential, str):
            raise refused("it says too little")
        return Issued(subject, credential, read_access(claims.get("access")), float(claims["exp"]))


def read_header(token: str, limit: int) -> dict[str, Any]:
    """The header of a token, which nobody vouches for. Raises Unauthorized."""
    if len(token) > limit:
        raise refused("it is too long")
    try:
        header: dict[str, Any] = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError, RecursionError):  # no token, no Unicode, nested beyond reason
        raise refused("it cannot be read") from None
    return header


def decode(token: str, key: Any, algorithms: list[str], issuer: str, audience: str, now: float) -> dict[str, Any]:
    """Verify signature, issuer, audience and times. Raises Unauthorized.

    Args:
        now: by the registry's clock, which the tests turn.
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms,
            # The times are compared below, by our clock.
            options={
                "require": ["iss", "aud", "sub", "exp"],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
            issuer=issuer,
            audience=audience,
        )
    except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError):
        raise refused("it was not made by whom it should, or not for this registry") from None
    times = [claims["exp"], claims.get("nbf", 0), claims.get("iat", 0)]
    if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in times):
        raise refused("its times are none")
    expires, begins, made = times
    if now >= expires + _LEEWAY:
        raise refused("it has expired")
    if max(begins, made) > now + _LEEWAY:
        raise refused("it is not good yet")
    return claims


def refused(why: str) -> Unauthorized:
    """The error for a token that is no good."""
    return Unauthorized(f"the token is no good: {why}", "Log in again", "invalid_token")
